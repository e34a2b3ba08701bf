/** Descriptions of events, and events as rows of a list. */

import { party } from "./address.js";
import { amount, rate, tokenName } from "./amounts.js";
import { h } from "./dom.js";
import { short, span, streamName } from "./format.js";
import { session } from "./session.js";
import { moment } from "./times.js";

const NAMES = {
  "stream.created": ["Created", "new"],
  "stream.topped_up": ["Topped up", "in"],
  "stream.withdrawn": ["Withdrawn", "out"],
  "stream.paused": ["Paused", "held"],
  "stream.resumed": ["Resumed", "new"],
  "stream.completed": ["Completed", "done"],
  "stream.cancelled": ["Cancelled", "over"],
  "stream.updated": ["Updated", "quiet"],
  "stream.accepted": ["Accepted", "new"],
  "stream.hidden": ["Hidden", "quiet"],
  "stream.fee_collected": ["Fee", "quiet"],
  "stream.recipient_transferred": ["Recipient changed", "in"],
  "stream.rate_modified": ["Rate changed", "in"],
  "stream.milestone_unlocked": ["Milestone reached", "in"],
  "stream.dispute_requested": ["Dispute opened", "held"],
  "stream.dispute_resolved": ["Dispute decided", "quiet"],
  "stream.closed": ["Closed", "quiet"],
  "stream.snapshot": ["State read", "quiet"],
  "stream.uncertain": ["Amounts not known", "held"],
  "stream.running_low": ["Running low", "held"],
  "stream.depleted": ["Ran out", "over"],
  "contract.pause_changed": ["Contract paused or resumed", "over"],
  "contract.guardian_updated": ["Guardian changed", "quiet"],
  "contract.upgraded": ["Contract upgraded", "over"],
  "contract.state_migrated": ["Contract storage migrated", "quiet"],
  "token.transfer": ["Transfer", "quiet"],
  "token.mint": ["Mint", "quiet"],
  "token.burn": ["Burn", "quiet"],
  "token.clawback": ["Clawback", "quiet"],
  "chain.gap": ["Ledgers missing", "over"],
  "journal.reset": ["Data reset", "over"],
  "webhook.disabled": ["Webhook disabled", "over"],
};

/** [label, tone] of a type. An unknown type is shown by its own name. */
export function nameOf(type) {
  return NAMES[type] ?? [type.replace(/^\w+\./, "").replaceAll("_", " "), "quiet"];
}

/** The details of each type as a list of texts and nodes. `m` makes an amount, `r` a rate. */
const facts = {
  "stream.created": (e, { m, r }) => [m(e.depositedAmount), " at ", r(e.ratePerSecond)],
  "stream.topped_up": (e, { m }) => [m(e.amount), " more, ", m(e.newDepositedAmount), " in total"],
  "stream.withdrawn": (e, { m }) => [m(e.amount)],
  "stream.completed": (e, { m }) => [m(e.totalWithdrawn), " in total"],
  "stream.cancelled": (e, { m }) => [m(e.amountWithdrawn), " paid, ", m(e.refundedAmount), " refunded"],
  "stream.fee_collected": (e, { m }) => [m(e.feeAmount)],
  "stream.recipient_transferred": (e) => ["from ", party(e.oldRecipient), " to ", party(e.newRecipient)],
  "stream.rate_modified": (e, { r }) => ["from ", r(e.oldRatePerSecond), " to ", r(e.newRatePerSecond)],
  "stream.milestone_unlocked": (e, { m }) => [m(e.amount), " can be withdrawn"],
  "stream.dispute_requested": (e) => [party(e.arbiter), " decides"],
  "stream.dispute_resolved": (e) => [e.approved ? "the stream is cancelled" : "the stream continues"],
  "contract.pause_changed": (e) => [e.paused ?? e.isPaused ? "nobody can create or top up streams" : "streams can be created and topped up again"],
  "stream.snapshot": (e) => [`as of ledger ${e.stateLedger}${e.archived ? ", archived" : ""}`],
  "stream.uncertain": (e) => [e.reason === "gap" ? "events may be missing" : "the contract's record cannot be read"],
  "stream.running_low": (e) => ["runs out at ", moment(e.endsAt, true)],
  "stream.depleted": () => ["no money accrues until the stream is topped up"],
  "token.transfer": (e, { m }) => [m(e.amount), " from ", party(e.from), " to ", party(e.to)],
  "token.mint": (e, { m }) => [m(e.amount), " to ", party(e.to)],
  "token.burn": (e, { m }) => [m(e.amount), " from ", party(e.from)],
  "token.clawback": (e, { m }) => [m(e.amount), " from ", party(e.from)],
  "webhook.disabled": (e) => [e.url, e.reason === "gone" ? " answered 410 Gone" : " failed for too long"],
  "chain.unknown": (e) => [`unknown event “${e.name}”`],
};

/** Makes amounts in the event's token. With `names`, the first amount has the token's short address. */
function moneyOf({ tokenAddress, stream }, names) {
  const address = tokenAddress ?? stream?.tokenAddress;
  let brief = !names;
  const one = (make) => (value) => {
    const node = make(value, address, { brief });
    brief = true;
    return node;
  };
  return { m: one(amount), r: one(rate) };
}

/** The details of an event in a few words, as texts and nodes. Empty if a field is missing. */
export function factsOf(event, names = true) {
  try {
    return facts[event.type]?.(event, moneyOf(event, names)) ?? [];
  } catch {
    return [];
  }
}

/** A small label for the type of an event. */
export function chip(type) {
  const [words, tone] = nameOf(type);
  return h("span", { class: "chip", "data-tone": tone, title: type }, words);
}

/** The origin of an event: ledger and transaction, or the API. */
export function origin(event) {
  if (event.origin !== "chain") return h("span", { class: "where" }, "from the API");
  const proof = event.verified ? "proved by the transaction's result" : "not proved";
  return h("span", { class: "where", title: `transaction ${event.txHash}, ${proof}` },
    `ledger ${event.ledger} `, h("code", {}, short(event.txHash ?? "", 6)));
}

/** Seconds from the close of the event's ledger, or from the API's commit, to `time` (Unix ms). */
export function latency(event, time) {
  const from = event.ledgerClosedAt ? Date.parse(event.ledgerClosedAt) : event.publishedAt / 1000;
  return Math.max(0, (time - from) / 1000);
}

/** Does not use the `asset` of the event: a contract can write any asset there. */
const tokenOf = ({ type, tokenAddress }) => (type.startsWith("token.") ? tokenName(tokenAddress) : type.startsWith("webhook.") ? "your webhook" : "everyone");

/** The label of a stream. A stranger's stream has none until the user has accepted it. */
function labelOf({ acceptance, sender, metadata }) {
  const known = session.seesAll || acceptance === "accepted" || sender === session.account;
  return known ? metadata?.label : "";
}

/**
 * An event as a row of a list. Its time links to the event's own view. `late` is the measured delay of
 * the event in seconds, or null. `fee`: the event of the fee that was paid for this one, or null.
 */
export function eventRow(event, { late = null, stream = true, fee = null } = {}) {
  const label = event.stream && labelOf(event.stream);
  const name = event.streamId && h("a", { class: "name", dir: "auto", href: `#/streams/${event.streamId}` }, label || streamName(event.streamId));
  const paid = fee ? [", fee ", ...factsOf(fee, false)] : [];
  return h("li", { class: "event", "data-id": event.id, "data-type": event.type, "data-fee": fee?.id },
    h("a", { class: "when", href: `#/events/${event.id}` }, moment(event.timestamp, !stream)), chip(event.type),
    stream && h("span", { class: "who" }, name || tokenOf(event)),
    h("span", { class: "facts" }, ...factsOf(event, Boolean(stream && event.streamId)), ...paid),
    origin(event),
    stream && h("span", { class: "late", title: "delay from the close of the ledger (or the commit of the API) to this page" },
      late === null ? "" : span(late)));
}
