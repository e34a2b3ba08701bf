/** The sums of an account: first those of the chain, then those of the API, which nothing backs. */

import { aboutToken, amount, tokenName } from "./amounts.js";
import { h } from "./dom.js";

const ORIGINS = [
  ["chain", "On the chain", ""],
  ["api", "Outside of the chain", "Agreements that were made through the API. They move no money on the chain, and anyone can name any token and amount."],
];

function counted({ counts }) {
  const count = (side) => Object.values(counts[side]).reduce((sum, each) => sum + each, 0);
  return `${count("received")} incoming and ${count("sent")} outgoing streams; ${counts.received.active + counts.sent.active} of them are active.`;
}

function token({ tokenAddress, sent, received }) {
  const figure = (label, value) => h("div", {}, h("dt", {}, label), h("dd", {}, amount(value, tokenAddress, { brief: true })));
  const unknown = received.claimableUnknown;
  const due = unknown ? `Claimable, without ${unknown === 1 ? "1 stream whose amount is" : `${unknown} streams whose amounts are`} not known` : "Claimable";
  const side = (title, figures) => h("div", { class: "card side" }, h("h4", {}, title), h("dl", { class: "figures" }, ...figures));
  return h("section", { class: "token" },
    h("h3", {}, "Token ", tokenName(tokenAddress)),
    h("p", { class: "quiet-text about" }, aboutToken(tokenAddress)),
    h("div", { class: "sides" },
      side("Received", [figure(due, received.claimable), figure("Withdrawn", received.withdrawn), figure("Remaining", received.remaining)]),
      side("Sent", [figure("Deposited", sent.deposited), figure("Paid out", sent.withdrawn), figure("Refunded", sent.refunded), figure("Remaining", sent.remaining)])));
}

/** The sections of GET /v1/users/{account}/summary. Without streams of the API, only the chain's. */
export function sums(summary) {
  return ORIGINS.filter(([origin]) => origin === "chain" || summary[origin].streams).map(([origin, title, about]) =>
    h("section", { class: "origin", "data-origin": origin },
      h("h2", {}, title),
      about && h("p", { class: "quiet-text" }, about),
      h("p", { class: "quiet-text" }, counted(summary[origin])),
      ...summary[origin].tokens.map(token)));
}
