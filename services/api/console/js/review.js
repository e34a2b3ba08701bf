/** What a wallet is asked to sign, in plain words. */

import { party } from "./address.js";
import { amount } from "./amounts.js";
import { NOT_CHECKED } from "./agreement.js";
import { now } from "./clock.js";
import { h, say } from "./dom.js";
import { chip, factsOf } from "./events.js";
import { duration, streamName } from "./format.js";
import { reader } from "./numbers.js";
import { moves } from "./ticker.js";
import { moment } from "./times.js";

const STROOPS = 7; // decimals of XLM

/** The title of each action. Pure. */
export const titleOf = ({ action, streamId }) => ({
  create: "New on-chain stream",
  top_up: `Top up stream ${streamName(streamId ?? "")}`,
  withdraw: `Withdraw from stream ${streamName(streamId ?? "")}`,
  pause: `Pause stream ${streamName(streamId ?? "")}`,
  resume: `Resume stream ${streamName(streamId ?? "")}`,
  cancel: `Cancel stream ${streamName(streamId ?? "")}`,
})[action];

const find = ({ events }, type) => events.find((event) => event.type === type);

/** Who pays what to whom, for each action. `s` is the stream as it is now, or null. */
const WORDS = {
  create: (r) => [party(r.source), " pays ", amount(r.amount, r.token), " into the contract now. From now on ", party(r.recipient), ` can withdraw a part of it, after ${duration(r.duration)} all of it.`],
  top_up: (r, p, s) => [party(r.source), " pays ", amount(r.amount, s.tokenAddress), " into the contract now, for ", party(s.recipient), "."],
  withdraw: (r, p, s) => [party(r.source), " gets ", p.returns?.amount ? amount(p.returns.amount, s.tokenAddress) : "all that is claimable", " from the contract. It is more if more has accrued until the ledger closes."],
  pause: (r, p, s) => ["From now on no more money accrues for ", party(s.recipient), ", until the sender resumes the stream. Nothing can be withdrawn until then."],
  resume: (r, p, s) => ["From now on money accrues again for ", party(s.recipient), ". The stream ends later, by the time of the pause."],
  cancel(r, p, s) {
    const event = find(p, "stream.cancelled");
    if (!event) return ["The recipient gets what has accrued, and the sender gets the rest back. This cannot be undone."];
    const settled = BigInt(event.amountWithdrawn) - BigInt(s.withdrawnAmount);
    return [party(s.recipient), " gets ", amount(settled > 0n ? settled : 0n, s.tokenAddress), ", and ", party(s.sender), " gets ", amount(event.refundedAmount, s.tokenAddress), " back. This cannot be undone."];
  },
};

const RESTORE = "The contract's record of this stream is archived. It must be restored first, by a transaction of its own. It moves no money but its fee.";

/** A fee in stroops as text. Pure. */
export const feeText = (stroops) => `${reader.format(stroops, STROOPS)} XLM`;

/** The time until the transaction is invalid; the text changes each second. */
function validity(maxTime) {
  const left = h("span");
  moves(left, (time) => say(left, maxTime * 1000 > time ? ` (${duration(maxTime - time / 1000)} left)` : " (it has expired)"));
  return [moment(maxTime, true), left];
}

/** True if the transaction can be in no ledger any more. */
export const isExpired = ({ timeBounds }) => now() >= timeBounds.maxTime * 1000;

function events({ events: emitted, stream }) {
  if (!emitted.length) return null;
  const facts = (event) => factsOf({ ...event, stream: event.stream ?? stream }, false);
  return h("ul", { class: "outcome", "aria-label": "Events that the contract would emit" },
    ...emitted.map((event) => h("li", {}, chip(event.type), " ", ...facts(event))));
}

/** The whole review. `request` is what was asked, `prepared` is the server's answer. */
export function review(request, prepared, stream) {
  const isRestore = prepared.action === "restore";
  const words = isRestore ? [RESTORE] : WORDS[request.action](request, prepared, stream);
  const rows = [
    ["Signed by", h("code", {}, prepared.source)],
    !isRestore && ["Recipient", h("code", {}, request.recipient ?? stream.recipient)], // whole: a short form can be imitated
    !isRestore && ["Token", h("code", {}, request.token ?? stream.tokenAddress)],
    ["Fee", `at most ${feeText(prepared.fee.total)} (${feeText(prepared.fee.inclusion)} for the place in a ledger, ${feeText(prepared.fee.resource)} for resources)`],
    ["Valid until", h("span", {}, ...validity(prepared.timeBounds.maxTime))],
    ["Network", prepared.networkPassphrase],
    ["Contract", h("code", {}, prepared.contract)],
    !isRestore && ["Function", h("code", {}, prepared.function)],
    ["Transaction", h("code", {}, prepared.hash)],
  ].filter(Boolean);
  return h("div", { class: "review" },
    h("p", { class: "preview" }, ...words),
    h("dl", { class: "details" }, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    !isRestore && [h("h3", {}, "Afterwards"), events(prepared),
      prepared.stream?.endTime && h("p", { class: "quiet-text" }, "The stream then runs out at ", moment(prepared.stream.endTime, true), ".")],
    h("p", { class: "quiet-text" }, "Checked by this page in the transaction itself: account, network, fee, time, contract, function and arguments, and that the account agrees to no other call.",
      globalThis.crypto.subtle ? "" : " The hash is not checked, because this page is not served over HTTPS.",
      ` Not checked: ${NOT_CHECKED}.`));
}
