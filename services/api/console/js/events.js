/** An event in words, and as a line of a list. */

import { h } from "./dom.js";
import { amount, clockTime, dateTime, iso, short, span, streamName } from "./format.js";

const NAMES = {
  "stream.created": ["Created", "new"],
  "stream.topped_up": ["Topped up", "in"],
  "stream.withdrawn": ["Withdrawn", "out"],
  "stream.paused": ["Paused", "held"],
  "stream.resumed": ["Resumed", "new"],
  "stream.completed": ["Completed", "done"],
  "stream.cancelled": ["Cancelled", "over"],
  "stream.updated": ["Updated", "quiet"],
  "stream.fee_collected": ["Fee", "quiet"],
  "stream.recipient_transferred": ["Handed over", "in"],
  "stream.rate_modified": ["Rate changed", "in"],
  "stream.running_low": ["Running low", "held"],
  "stream.depleted": ["Dry", "over"],
  "token.transfer": ["Transfer", "quiet"],
  "token.mint": ["Mint", "quiet"],
  "token.burn": ["Burn", "quiet"],
  "token.clawback": ["Clawback", "quiet"],
  "chain.gap": ["History lost", "over"],
  "journal.reset": ["Everything lost", "over"],
};

/** [words, tone] for a type; one that is new here reads as it is called. */
export function nameOf(type) {
  return NAMES[type] ?? [type.replace(/^\w+\./, "").replaceAll("_", " "), "quiet"];
}

const facts = {
  "stream.created": (e) => `${amount(e.depositedAmount)} at ${amount(e.ratePerSecond)} a second`,
  "stream.topped_up": (e) => `${amount(e.amount)} more, ${amount(e.newDepositedAmount)} in all`,
  "stream.withdrawn": (e) => amount(e.amount),
  "stream.completed": (e) => `${amount(e.totalWithdrawn)} in all`,
  "stream.cancelled": (e) => `${amount(e.amountWithdrawn)} paid, ${amount(e.refundedAmount)} refunded`,
  "stream.fee_collected": (e) => amount(e.feeAmount),
  "stream.recipient_transferred": (e) => `from ${short(e.oldRecipient)} to ${short(e.newRecipient)}`,
  "stream.rate_modified": (e) => `from ${amount(e.oldRatePerSecond)} to ${amount(e.newRatePerSecond)} a second`,
  "stream.running_low": (e) => `dry at ${dateTime(e.endsAt)}`,
  "stream.depleted": () => "nothing more flows until it is topped up",
  "token.transfer": (e) => `${amount(e.amount)} from ${short(e.from)} to ${short(e.to)}`,
  "token.mint": (e) => `${amount(e.amount)} to ${short(e.to)}`,
  "token.burn": (e) => `${amount(e.amount)} from ${short(e.from)}`,
  "token.clawback": (e) => `${amount(e.amount)} from ${short(e.from)}`,
  "chain.unknown": (e) => `“${e.name}”, a name not known yet`,
};

/** What the event says, in a few words; never throws on a fact that is missing. */
export function factsOf(event) {
  try {
    return facts[event.type]?.(event) ?? "";
  } catch {
    return "";
  }
}

/** A moment, readable and for machines. */
export const moment = (seconds, whole = false) =>
  h("time", { datetime: iso(seconds), title: dateTime(seconds) }, (whole ? dateTime : clockTime)(seconds));

/** A small label in the tone of its type. */
export function chip(type) {
  const [words, tone] = nameOf(type);
  return h("span", { class: "chip", "data-tone": tone, title: type }, words);
}

/** Where it happened: ledger and transaction, or that it is the API's. */
export function origin(event) {
  if (event.origin !== "chain") return h("span", { class: "where" }, "by the API");
  const proof = event.verified ? "proved against what consensus signed" : "not proved";
  return h("span", { class: "where", title: `transaction ${event.txHash}, ${proof}` },
    `ledger ${event.ledger} `, h("code", {}, short(event.txHash ?? "", 6)));
}

/** Seconds from the ledger's close, or the API's commit, to `time` (ms). */
export function latency(event, time) {
  const from = event.ledgerClosedAt ? Date.parse(event.ledgerClosedAt) : event.publishedAt / 1000;
  return Math.max(0, (time - from) / 1000);
}

function tokenOf({ type, asset, tokenAddress }) {
  if (!type.startsWith("token.")) return "everyone";
  return h("span", { title: tokenAddress }, asset ?? short(tokenAddress));
}

/** A line of a list of events. `late`: seconds it took to come here, where that was measured. */
export function eventRow(event, { late = null, stream = true } = {}) {
  const label = event.stream?.metadata?.label;
  const name = event.streamId && h("a", { class: "name", href: `#/streams/${event.streamId}` }, label || streamName(event.streamId));
  return h("li", { class: "event", "data-id": event.id, "data-type": event.type },
    moment(event.timestamp, !stream), chip(event.type),
    stream && h("span", { class: "who" }, name || tokenOf(event)),
    h("span", { class: "facts" }, factsOf(event)),
    origin(event),
    stream && h("span", { class: "late", title: "from the ledger's close (or the API's commit) to this page" },
      late === null ? "" : span(late)));
}
