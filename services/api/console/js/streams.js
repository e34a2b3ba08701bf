/** The view Streams: a list with search and filters. */

import { get } from "./api.js";
import { createDialog } from "./create.js";
import { calmly, field, h, say, select } from "./dom.js";
import { remember } from "./router.js";
import { session } from "./session.js";
import { StreamList } from "./stream_list.js";
import { learn } from "./tokens.js";

const STATUSES = [["", "Any status"], ["active", "Active"], ["paused", "Paused"], ["completed", "Completed"], ["cancelled", "Cancelled"]];
const ORIGINS = [["", "Chain and API"], ["chain", "On chain"], ["api", "API"]];
const ANSWERS = [["", "Any answer"], ["accepted", "Accepted"], ["pending", "Not answered"], ["hidden", "Hidden"]];
const FILTERS = ["search", "status", "origin", "acceptance"];
const PAGE = 25;

/** The meaning of the search text: {user} or {stream}; {} if empty; {wrong: true} if invalid. Pure. */
export function meaning(search) {
  if (!search) return {};
  if (/^[GCM][A-Z2-7]{55,68}$/.test(search)) return { user: search };
  if (/^(\d{1,20}|api-[0-9a-f-]{36})$/.test(search)) return { stream: search };
  return { wrong: true };
}

/** True if `user` sends the stream, or receives it and has given this answer (default: accepted). */
function isOf(stream, user, acceptance) {
  const received = stream.recipient === user && stream.acceptance === (acceptance || "accepted");
  return received || (!acceptance && stream.sender === user);
}

/** True if a stream matches the filters of the list. Without a search, `own` is the account. Pure. */
export function belongs(stream, { search, status, origin, acceptance }, own = "") {
  const { user = own, stream: id, wrong } = meaning(search);
  if (wrong) return false;
  const whose = id ? stream.id === id : !user || isOf(stream, user, acceptance);
  return whose && (!status || stream.status === status) && (!origin || stream.origin === origin) &&
    (!acceptance || stream.acceptance === acceptance);
}

/** The account of a user who sees only the streams of this account; else "". */
const own = () => session.seesAll ? "" : session.account;

async function page(filter, cursor) {
  const { user = own(), stream, wrong } = meaning(filter.search);
  if (wrong) return { items: [], next: null, wrong };
  if (!stream) return get("/v1/streams", { user, status: filter.status, origin: filter.origin, acceptance: filter.acceptance, limit: PAGE, cursor });
  try {
    const found = await get(`/v1/streams/${encodeURIComponent(stream)}`);
    return { items: [found].filter((each) => belongs(each, filter)), next: null, position: found.position };
  } catch (error) {
    if (error.status === 404) return { items: [], next: null };
    throw error;
  }
}

function controls(filter, changed) {
  const search = h("input", { type: "search", value: filter.search, placeholder: "Account (G…) or stream id", spellcheck: "false" });
  const status = select({}, STATUSES, filter.status);
  const origin = select({}, ORIGINS, filter.origin);
  const acceptance = select({}, ANSWERS, filter.acceptance);
  const act = calmly(() => changed({ search: search.value.trim(), status: status.value, origin: origin.value, acceptance: acceptance.value }));
  return h("form", { class: "filters", role: "search", "aria-label": "Filter streams", input: act, submit: (e) => e.preventDefault() },
    field("Search", search), field("Status", status), field("Origin", origin), field("Recipient's answer", acceptance));
}

/** The view. */
export function streams({ headrace, parameters, places }) {
  let filter = Object.fromEntries(FILTERS.map((name) => [name, parameters.get(name) ?? ""]));
  let stop = () => {};
  let next = null;
  const list = new StreamList("Streams, newest first");
  const said = h("p", { class: "quiet-text", role: "status" });
  const more = h("button", { type: "button", hidden: true, click: () => (list.isCut ? begin() : addPage().catch(told)) });

  const told = (error) => say(said, error.message);
  function show(found) {
    learn(found.tokens);
    list.load(found.items, !found.next);
    next = found.next;
    describe(found);
  }
  /** After a cut, `next` would leave a hole: the list must be loaded again from its beginning. */
  function describe({ wrong } = {}) {
    more.hidden = !next && !list.isCut;
    say(more, list.isCut ? "Load again" : "More");
    const nothing = wrong ? "Search for a complete account (G…, C… or M…) or a stream id." :
      `No streams yet. ${places.apiStreams ? "Create one, or wait" : "Wait"} for streams from the chain.`;
    const cut = `Many streams have arrived. The list shows only the latest ${list.size} streams.`;
    say(said, list.size ? list.isCut ? cut : "" : nothing);
  }
  async function addPage() {
    show(await page(filter, next));
  }
  function arrived({ type, stream }) {
    if (!stream) return;
    if (!belongs(stream, filter, own())) list.drop(stream.id);
    else if (type !== "stream.snapshot" || list.has(stream.id)) list.put(stream); // a snapshot is of an old stream
    if (list.size) describe();
  }
  function begin() {
    stop();
    stop = headrace.follow({
      async load() {
        const found = await page(filter);
        list.clear();
        show(found);
        return found.position;
      },
      apply: arrived,
      failed: told,
    });
  }
  begin();
  return {
    title: "Streams",
    node: h("section", {},
      h("div", { class: "head" }, h("h1", { tabindex: -1 }, "Streams"),
        places.apiStreams && h("button", { type: "button", class: "main", click: () => createDialog() }, "New stream")),
      controls(filter, (changed) => { filter = changed; remember("streams", filter); begin(); }),
      said, list.node, more),
    stop: () => stop(),
  };
}
