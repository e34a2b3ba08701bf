/** The view of an account: incoming streams, outgoing streams, and totals. */

import { get } from "./api.js";
import { calmly, field, h, say } from "./dom.js";
import { amount, short } from "./format.js";
import { session } from "./session.js";
import { StreamList } from "./stream_row.js";

const PAGE = 50;

function totals({ tokens, counts }) {
  const count = (side) => Object.values(counts[side]).reduce((sum, each) => sum + each, 0);
  const figure = (label, value) => h("div", {}, h("dt", {}, label), h("dd", {}, amount(value)));
  const side = (title, figures) => h("div", { class: "card side" }, h("h3", {}, title), h("dl", { class: "figures" }, ...figures));
  return [
    h("p", { class: "quiet-text" }, `${count("received")} incoming and ${count("sent")} outgoing streams; ${counts.received.active + counts.sent.active} of them are active.`),
    ...tokens.map(({ tokenAddress, sent, received }) => h("section", { class: "token" },
      h("h2", {}, "Token ", h("code", { title: tokenAddress }, short(tokenAddress, 6))),
      h("div", { class: "sides" },
        side("Received", [figure("Claimable", received.claimable), figure("Withdrawn", received.withdrawn), figure("Remaining", received.remaining)]),
        side("Sent", [figure("Deposited", sent.deposited), figure("Paid out", sent.withdrawn), figure("Refunded", sent.refunded), figure("Remaining", sent.remaining)])))),
  ];
}

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
  const sums = h("div", { class: "totals" });
  const [incoming, outgoing] = [new StreamList("Incoming streams"), new StreamList("Outgoing streams")];
  const none = (words) => h("p", { class: "quiet-text" }, words);
  const [noneIn, noneOut] = [none("No incoming streams."), none("No outgoing streams.")];
  const tell = () => { noneIn.hidden = incoming.size > 0; noneOut.hidden = outgoing.size > 0; };
  body.append(sums, h("h2", {}, "Incoming"), noneIn, incoming.node, h("h2", {}, "Outgoing"), noneOut, outgoing.node);
  const sides = [["recipient", incoming], ["sender", outgoing]];
  const summarise = async () => sums.replaceChildren(...totals(await get(`/v1/users/${current}/summary`)));
  const again = calmly(() => summarise().catch((error) => say(said, error.message)), 500);
  const minute = setInterval(again, 15_000); // every 15 s, because the claimable amounts change with time
  const stop = headrace.follow({
    async load() {
      const [first, ...rest] = await Promise.all([
        ...sides.map(([side]) => get("/v1/streams", { [side]: current, limit: PAGE })), summarise(),
      ]);
      for (const [n, page] of [first, rest[0]].entries()) {
        sides[n][1].clear();
        page.items.forEach((each) => sides[n][1].put(each));
      }
      const more = [first, rest[0]].some(({ next }) => next);
      say(said, more ? `The lists show the latest ${PAGE} streams each. The totals include all streams.` : "");
      tell();
      return first.position;
    },
    apply({ stream }) {
      const own = sides.filter(([side]) => stream?.[side] === current);
      for (const [, list] of own) {
        if (list.has(stream.id) || stream.version === 1) list.put(stream, "prepend");
      }
      if (own.length) again();
      tell();
    },
    failed: (error) => say(said, error.message),
  });
  return { title: `Account ${short(current)}`, node, stop: () => { stop(); clearInterval(minute); } };
}
