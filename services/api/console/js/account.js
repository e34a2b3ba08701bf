/** The view of an account: totals, streams that wait for its answer, incoming and outgoing streams. */

import { answers } from "./answers.js";
import { get } from "./api.js";
import { calmly, field, h, say } from "./dom.js";
import { short } from "./format.js";
import { session } from "./session.js";
import { StreamList } from "./stream_list.js";
import { sums } from "./sums.js";
import { learn } from "./tokens.js";

const PAGE = 50;
const MOVES = new Set(["stream.created", "stream.accepted", "stream.recipient_transferred"]);

/** The lists, by the party that the account is, and by its answer. */
const LISTS = [
  { title: "Waiting for your answer", party: "recipient", acceptance: "pending", more: answers,
    about: "Others made these streams through the API. They are in no sum and no other list until you accept them." },
  { title: "Incoming", party: "recipient", acceptance: "accepted", none: "No incoming streams." },
  { title: "Outgoing", party: "sender", none: "No outgoing streams." },
];

/** True if a stream is in the list of this account. Pure. */
export const fits = (stream, account, { party, acceptance }) =>
  stream[party] === account && (!acceptance || stream.acceptance === acceptance);

/** Links to accounts of the latest streams. */
async function suggestions() {
  const { items } = await get("/v1/streams", { limit: 20 });
  const accounts = [...new Set(items.flatMap(({ sender, recipient }) => [recipient, sender]))].slice(0, 6);
  return accounts.map((each) => h("li", {}, h("a", { href: `#/account/${each}` }, h("code", {}, short(each, 8)))));
}

function chooser(current, said) {
  const input = h("input", { type: "search", value: current, placeholder: "G…", spellcheck: "false", autocomplete: "off", required: true });
  return h("form", { class: "filters", role: "search", "aria-label": "Choose an account", submit: (event) => {
    event.preventDefault();
    const account = input.value.trim();
    if (/^[GCM][A-Z2-7]{55,68}$/.test(account)) location.hash = `#/account/${account}`;
    else say(said, "Enter a complete address: G…, C… or M….");
  } }, field("Account", input), h("button", { type: "submit" }, "Show"));
}

/** One list with its heading: {node, list, tell()}. Without `none`, it is hidden while it is empty. */
function section(kind) {
  const list = new StreamList(`${kind.title}, newest first`, kind.more);
  const none = h("p", { class: "quiet-text" }, kind.none ?? "");
  const about = kind.about && h("p", { class: "quiet-text" }, kind.about);
  const node = h("section", { "data-list": kind.acceptance ?? "sent" }, h("h2", {}, kind.title), about, none, list.node);
  const tell = () => { none.hidden = list.size > 0; node.hidden = !kind.none && !list.size; };
  return { ...kind, node, list, tell };
}

/** The view. */
export function account({ headrace, parts: [, given] }) {
  const current = given || session.account;
  const said = h("p", { class: "quiet-text", role: "status" });
  const body = h("div");
  const node = h("section", {}, h("h1", { tabindex: -1 }, "Account"), chooser(current, said), said, body);
  if (!current) {
    suggestions().then((found) => {
      say(said, found.length ? "Enter an account, or choose one of the latest:" : "No account has a stream yet.");
      body.replaceChildren(h("ul", { class: "suggested" }, ...found));
    }).catch((error) => say(said, error.message));
    return { title: "Account", node };
  }
  const totals = h("div", { class: "totals" });
  const hidden = h("p");
  const lists = LISTS.map(section);
  const tell = () => {
    lists.forEach((each) => each.tell());
    if (!lists.every(({ list }) => list.isWhole)) say(said, "The lists show only the latest streams. The totals include all streams.");
  };
  tell();
  body.append(totals, ...lists.map((each) => each.node), hidden);
  const summarise = async () => {
    const summary = await get(`/v1/users/${current}/summary`);
    learn(summary.tokens);
    totals.replaceChildren(...sums(summary));
    hidden.replaceChildren(...(summary.hidden ? [h("a", { href: `#/streams?search=${current}&acceptance=hidden` }, `Hidden streams: ${summary.hidden}`)] : []));
  };
  const again = calmly(() => summarise().catch((error) => say(said, error.message)), 500);
  const minute = setInterval(again, 15_000); // every 15 s, because the claimable amounts change with time
  const stop = headrace.follow({
    async load() {
      const [pages] = await Promise.all([
        Promise.all(lists.map(({ party, acceptance }) => get("/v1/streams", { [party]: current, acceptance, limit: PAGE }))),
        summarise(),
      ]);
      for (const [n, { list }] of lists.entries()) {
        list.clear();
        learn(pages[n].tokens);
        list.load(pages[n].items, !pages[n].next);
      }
      say(said, "");
      tell();
      return pages[0].position;
    },
    apply({ type, stream }) {
      if (![stream?.sender, stream?.recipient].includes(current)) return;
      const moves = MOVES.has(type) || lists.some(({ list }) => list.has(stream.id));
      for (const each of lists) {
        if (!fits(stream, current, each)) each.list.drop(stream.id);
        else if (moves) each.list.put(stream);
      }
      again();
      tell();
    },
    failed: (error) => say(said, error.message),
  });
  return { title: `Account ${short(current)}`, node, stop: () => { stop(); clearInterval(minute); } };
}
