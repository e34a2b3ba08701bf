/** The view of an account: totals, streams that wait for its answer, incoming and outgoing streams. */

import { party } from "./address.js";
import { answers } from "./answers.js";
import { get } from "./api.js";
import { allNames, keepName, nameFor, onNames } from "./book.js";
import { copyButton } from "./copy.js";
import { calmly, field, h, keepFocus, replaceContent, say } from "./dom.js";
import { explorerLink, kindOf } from "./explorer.js";
import { failurePlace } from "./failure.js";
import { short } from "./format.js";
import { session } from "./session.js";
import { StreamList } from "./stream_list.js";
import { streamRow } from "./stream_row.js";
import { learn } from "./tokens.js";
import { totals } from "./totals.js";

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
  return accounts.map((each) => h("li", {}, h("a", { href: `#/account/${each}` }, h("code", {}, short(each, 8))), nameFor(each) && [" ", party(each)]));
}

/** The account, with a field for the reader's own name for it. */
function identity(address) {
  const input = h("input", { type: "text", value: nameFor(address), maxlength: 60, autocomplete: "off" });
  const kept = h("span", { role: "status", class: "quiet-text" });
  const form = h("form", { class: "inline", submit: (event) => {
    event.preventDefault();
    keepName(address, input.value);
    say(kept, nameFor(address) ? "Saved in this browser." : "The name was removed.");
  } }, field("Your name for this address", input), h("button", { type: "submit" }, "Save name"), kept);
  return h("div", { class: "identity card" },
    h("p", { class: "address" }, h("code", {}, address), copyButton(address, "the address"), explorerLink(kindOf(address), address)), form);
}

/** All names that the reader has given. */
function addressBook() {
  const list = h("ul", { class: "suggested" });
  const node = h("section", {}, h("h2", {}, "Your names for addresses"), h("p", { class: "quiet-text" }, "They are stored in this browser only."), list);
  const draw = () => {
    node.hidden = !allNames().length;
    keepFocus(list, () => list.replaceChildren(...allNames().map(([address, name]) => h("li", {}, h("a", { dir: "auto", href: `#/account/${address}` }, name), " ", h("code", {}, short(address)), " ",
      h("button", { type: "button", class: "quiet small", "aria-label": `Remove the name ${name}`, click: () => keepName(address, "") }, "Remove")))), () => list.querySelector("button"));
  };
  draw();
  return { node, stop: onNames(draw) };
}

function chooser(current, said) {
  const input = h("input", { type: "search", value: current, placeholder: "G…", spellcheck: "false", autocomplete: "off", required: true, list: "book" });
  return h("form", { class: "filters", role: "search", "aria-label": "Choose an account", submit: (event) => {
    event.preventDefault();
    const account = input.value.trim();
    if (/^[GCM][A-Z2-7]{55,68}$/.test(account)) location.hash = `#/account/${account}`;
    else say(said, "Enter a complete address: G…, C… or M….");
  } }, field("Account", input), h("button", { type: "submit" }, "Show"));
}

/** One list with its heading: {node, list, tell()}. Without `none`, it is hidden while it is empty. */
function section(kind) {
  const list = new StreamList(`${kind.title}, newest first`, (stream) => streamRow(stream, kind.more));
  const none = h("p", { class: "quiet-text" }, kind.none ?? "");
  const about = kind.about && h("p", { class: "quiet-text" }, kind.about);
  const node = h("section", { "data-list": kind.acceptance ?? "sent" }, h("h2", {}, kind.title), about, none, list.node);
  const tell = () => { none.hidden = list.size > 0; node.hidden = !kind.none && !list.size; };
  return { ...kind, node, list, tell };
}

/** The view without an account: accounts to choose, and the address book. */
function nobody(said, failed, body) {
  const names = addressBook();
  async function load() {
    failed.clear();
    try {
      const found = await suggestions();
      say(said, found.length ? "Enter an account, or choose one of the latest:" : "No account has a stream yet.");
      body.replaceChildren(h("ul", { class: "suggested" }, ...found), names.node);
    } catch (error) {
      failed.show(error);
    }
  }
  return { load, stop: names.stop };
}

/** The lists of an account, kept up to date: {nodes, load(), apply(event)}. */
function listsOf(account, said) {
  const lists = LISTS.map(section);
  const tell = () => {
    lists.forEach((each) => each.tell());
    if (!lists.every(({ list }) => list.isWhole)) say(said, "The lists show only the latest streams. The totals include all streams.");
  };
  tell();
  return {
    nodes: lists.map((each) => each.node),
    async load() {
      const pages = await Promise.all(lists.map(({ party: side, acceptance }) => get("/v1/streams", { [side]: account, acceptance, limit: PAGE })));
      for (const [n, { list }] of lists.entries()) {
        learn(pages[n].tokens);
        keepFocus(list.node, () => {
          list.clear();
          list.load(pages[n].items, !pages[n].next);
        });
      }
      say(said, "");
      tell();
      return pages[0].position;
    },
    apply({ type, stream }) {
      const moves = MOVES.has(type) || lists.some(({ list }) => list.has(stream.id));
      for (const each of lists) {
        if (!fits(stream, account, each)) each.list.drop(stream.id);
        else if (moves) each.list.put(stream);
      }
      tell();
    },
  };
}

/** The view. */
export function account({ headrace, parts: [, given] }) {
  const current = given || session.account;
  const said = h("p", { class: "quiet-text", role: "status" });
  const body = h("div");
  let begin;
  const failed = failurePlace(() => begin());
  const node = h("section", {}, h("h1", { tabindex: -1 }, "Account"), chooser(current, said), said, failed.node, body);
  if (!current) {
    const view = nobody(said, failed, body);
    begin = view.load;
    begin();
    return { title: "Account", node, stop: view.stop };
  }
  const hidden = h("p");
  const lists = listsOf(current, said);
  const sum = totals(current, (summary) => replaceContent(hidden, ...(summary.hidden ? [h("a", { href: `#/streams?search=${current}&acceptance=hidden` }, `Hidden streams: ${summary.hidden}`)] : [])));
  const save = h("button", { type: "button", click: () => import("./download.js").then(({ downloadDialog }) => downloadDialog({ users: current })).catch(failed.show) }, "Download events");
  body.append(identity(current), sum.node, ...lists.nodes, hidden, save);
  const again = calmly(() => sum.read().catch(failed.show), 500);
  const timer = setInterval(again, 15_000); // every 15 s, because the claimable amounts change with time
  let stop = () => {};
  begin = () => {
    stop();
    stop = headrace.follow({
      async load() {
        const [position] = await Promise.all([lists.load(), sum.read()]);
        failed.clear();
        return position;
      },
      apply(event) {
        if (![event.stream?.sender, event.stream?.recipient].includes(current)) return;
        lists.apply(event);
        again();
      },
      failed: failed.show,
    });
  };
  begin();
  return { title: `Account ${nameFor(current) || short(current)}`, node, stop: () => { stop(); sum.stop(); clearInterval(timer); } };
}
