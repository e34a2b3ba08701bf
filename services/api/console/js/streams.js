/** The view Streams: a list with search, filters and orders. */

import { get } from "./api.js";
import { nameFor } from "./book.js";
import { calmly, field, h, keepFocus, say, select } from "./dom.js";
import { failurePlace } from "./failure.js";
import { Results } from "./results.js";
import { remember } from "./router.js";
import { scan } from "./scan.js";
import { ownAccount } from "./scope.js";
import { belongs, meaning, needsScan, order } from "./search.js";
import { StreamList } from "./stream_list.js";
import { learn, tokenOf } from "./tokens.js";
import { called } from "./units.js";

const STATUSES = [["", "Any status"], ["active", "Active"], ["paused", "Paused"], ["completed", "Completed"], ["cancelled", "Cancelled"]];
const ORIGINS = [["", "Chain and API"], ["chain", "On chain"], ["api", "API"]];
const ANSWERS = [["", "Any answer"], ["accepted", "Accepted"], ["pending", "Not answered"], ["hidden", "Hidden"]];
const STATES = [["", "Any time"], ["low", "Within 48 hours"], ["depleted", "Ran out"]];
const SORTS = [["", "Newest first"], ["amount", "Largest deposit first"], ["end", "Earliest end first"]];
const FILTERS = ["search", "token", "status", "origin", "acceptance", "state", "sort"];
const PAGE = 25;
const SCANNED = 50; // rows for each press of "More", if the page has read the streams itself

const names = { nameFor, symbolOf: (address) => called(tokenOf(address), address).word };
const fits = (filter) => (stream) => belongs(stream, filter, ownAccount(), names);

/** The filters that the API itself has. */
const parametersOf = ({ search, token, status, origin, acceptance }) =>
  ({ user: meaning(search).user ?? ownAccount(), token, status, origin, acceptance });

/** One page of the list: {items, next, position}, and `left`, `read`, `total` if the page searches itself. */
async function page(filter, cursor = "") {
  const { stream, transaction, wrong } = meaning(filter.search);
  if (wrong || transaction) return { items: [], next: null };
  if (needsScan(filter)) {
    const enough = filter.sort ? Infinity : SCANNED;
    return scan(parametersOf(filter), cursor, fits(filter), { enough, learn });
  }
  if (!stream) return get("/v1/streams", { ...parametersOf(filter), limit: PAGE, cursor });
  try {
    const found = await get(`/v1/streams/${encodeURIComponent(stream)}`);
    return { items: [found].filter(fits(filter)), next: null, position: found.position };
  } catch (error) {
    if (error.status === 404) return { items: [], next: null };
    throw error;
  }
}

function controls(filter, changed) {
  const text = (name, placeholder) => h("input", { type: "search", value: filter[name], placeholder, spellcheck: "false", list: "book" });
  const inputs = {
    search: text("search", "Label, name, address, id or transaction"),
    token: text("token", "C…"),
    status: select({}, STATUSES, filter.status),
    origin: select({}, ORIGINS, filter.origin),
    acceptance: select({}, ANSWERS, filter.acceptance),
    state: select({}, STATES, filter.state),
    sort: select({}, SORTS, filter.sort),
  };
  const act = calmly(() => changed(Object.fromEntries(Object.entries(inputs).map(([name, { value }]) => [name, value.trim()]))));
  return h("form", { class: "filters", role: "search", "aria-label": "Filter streams", input: act, submit: (e) => e.preventDefault() },
    field("Search", inputs.search), field("Token contract", inputs.token), field("Status", inputs.status), field("Origin", inputs.origin),
    field("Recipient's answer", inputs.acceptance), field("Runs out", inputs.state), field("Order", inputs.sort));
}

/** The view. */
export function streams(context) {
  const { headrace, parameters, places } = context;
  let filter = Object.fromEntries(FILTERS.map((name) => [name, parameters.get(name) ?? ""]));
  let stop = () => {};
  let next = null;
  let read = 0; // streams that the page has searched itself
  let total = null;
  let before = 0; // rows before the reader asked for more
  const list = new StreamList("Streams");
  const results = new Results(list);
  const said = h("p", { class: "quiet-text", role: "status" });
  const failed = failurePlace(() => begin());
  const more = h("button", { type: "button", hidden: true, click: () => (list.isCut ? begin() : addPage().catch(failed.show)) });

  function show(found, isMixed = false) {
    learn(found.tokens);
    next = found.next;
    read += found.read ?? 0;
    total = found.total;
    if (needsScan(filter)) results[isMixed ? "mix" : "add"](found.items, SCANNED, !next);
    else list.load(found.items, !next);
    describe();
  }
  /** After a cut, `next` would leave a hole: the list must be loaded again from its beginning. */
  function describe() {
    const isMore = next || results.isWaiting || list.isCut;
    keepFocus(more, () => { more.hidden = !isMore; }, () => list.node.children[before]?.querySelector("a"));
    say(more, list.isCut ? "Load again" : next && !results.isWaiting && needsScan(filter) ? "Search further" : "More");
    const cut = `Many streams have arrived. The list shows only the ${filter.sort ? "first" : "latest"} ${list.size} streams.`;
    const searched = needsScan(filter) && next ? `Searched the latest ${read} ${total === null ? "streams" : `of ${total} streams`}.` : "";
    const nothing = list.size ? "" : nothingFound();
    say(said, list.size && list.isCut ? cut : [nothing, searched].filter(Boolean).join(" "));
    const { transaction } = meaning(filter.search);
    if (transaction) said.replaceChildren("This is a transaction. ", h("a", { href: `#/live?tx=${transaction}` }, "Show its events"));
  }
  function nothingFound() {
    if (meaning(filter.search).wrong) return "Enter at least two characters.";
    if (Object.values(filter).some(Boolean)) return "No streams match.";
    return `No streams yet. ${places.apiStreams ? "Create one, or wait" : "Wait"} for streams from the chain.`;
  }
  async function addPage() {
    before = list.size;
    if (results.isWaiting) {
      results.add([], SCANNED, !next);
      return describe();
    }
    const found = await page(filter, next);
    failed.clear();
    return show(found, Boolean(filter.sort));
  }
  function arrived({ type, stream }) {
    if (!stream) return;
    results.arrived(stream, fits(filter)(stream), type === "stream.snapshot"); // a snapshot is of an old stream
    if (list.size) describe();
  }
  function begin() {
    stop();
    stop = headrace.follow({
      async load() {
        const found = await page(filter);
        failed.clear();
        [read, before] = [0, 0];
        keepFocus(list.node, () => {
          results.clear(order(filter.sort, tokenOf));
          show(found);
        });
        return found.position;
      },
      apply: arrived,
      failed: failed.show,
    });
  }
  begin();
  const create = () => import("./create.js").then(({ createDialog }) => createDialog()).catch(failed.show);
  const createOnChain = () => import("./create_on_chain.js").then(({ createOnChainDialog }) => createOnChainDialog(context)).catch(failed.show);
  return {
    title: "Streams",
    node: h("section", {},
      h("div", { class: "head" }, h("h1", { tabindex: -1 }, "Streams"),
        h("div", { class: "buttons" },
          places.transactions && h("button", { type: "button", click: createOnChain }, "New on-chain stream"),
          places.apiStreams && h("button", { type: "button", class: "main", click: create }, "New stream"))),
      controls(filter, (changed) => { filter = changed; remember("streams", filter); begin(); }),
      said, failed.node, list.node, more),
    stop: () => stop(),
  };
}
