/** A table of a stream's state before and after an event. */

import { party } from "./address.js";
import { amount, rate } from "./amounts.js";
import { h } from "./dom.js";
import { moment } from "./times.js";

const money = (name) => (stream) => amount(stream[name], stream.tokenAddress, { brief: true });
const time = (name) => (stream) => (stream[name] === null ? "–" : moment(stream[name], true));
const due = ({ claimable, tokenAddress }) => (claimable ? amount(claimable.amount, tokenAddress, { brief: true }) : "not known");

/** [field, words, how its value is shown]. */
const ROWS = [
  ["status", "Status", ({ status }) => status],
  ["depositedAmount", "Deposit", money("depositedAmount")],
  ["withdrawnAmount", "Withdrawn", money("withdrawnAmount")],
  ["refundedAmount", "Refunded", money("refundedAmount")],
  ["claimable", "Claimable at this time", due],
  ["ratePerSecond", "Rate", ({ ratePerSecond, tokenAddress }) => rate(ratePerSecond, tokenAddress, { brief: true })],
  ["recipient", "Recipient", ({ recipient }) => party(recipient)],
  ["startTime", "Start", time("startTime")],
  ["endTime", "End", time("endTime")],
  ["pausedAt", "Paused since", time("pausedAt")],
  ["acceptance", "Recipient's answer", ({ acceptance }) => acceptance ?? "accepted"],
  ["metadata", "Label", ({ metadata }) => metadata?.label ?? "–"],
  ["version", "Version", ({ version }) => String(version)],
];

/** The names of the fields that differ. Pure. */
export const changed = (before, after) =>
  ROWS.map(([name]) => name).filter((name) => JSON.stringify(before?.[name]) !== JSON.stringify(after[name]));

/** The table. `before` is null if the stream did not exist (`isNew`), or if its state is not known. */
export function comparison(before, after, isNew) {
  const differing = new Set(before ? changed(before, after) : []);
  const row = ([name, words, show]) => h("tr", { "data-field": name, "data-changed": differing.has(name) },
    h("th", { scope: "row" }, words), h("td", {}, before ? show(before) : "–"), h("td", {}, show(after)));
  const about = isNew ? "The stream did not exist before this event." : before ? "Changed values are bold." : "The API has no earlier event of this stream, so its state before is not known.";
  return h("div", { class: "card" },
    h("table", { class: "change" },
      h("caption", { class: "quiet-text" }, about),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Field"), h("th", { scope: "col" }, "Before"), h("th", { scope: "col" }, "After"))),
      h("tbody", {}, ...ROWS.map(row))));
}
