/** A stream as a row of a list, kept up to date. */

import { party } from "./address.js";
import { amount, rawText, unit } from "./amounts.js";
import { now } from "./clock.js";
import { h, say } from "./dom.js";
import { duration, streamName } from "./format.js";
import { flows, isOver, shares } from "./money.js";
import { counter, moves } from "./ticker.js";

/** The time of the stream's end, in words. */
export function ends(stream, milliseconds) {
  if (isOver(stream)) return stream.status === "completed" ? "paid out" : "cancelled";
  if (stream.status === "paused") return "paused";
  if (stream.lastUpdateTime * 1000 > milliseconds) return `starts in ${duration(stream.lastUpdateTime - milliseconds / 1000)}`;
  if (stream.endTime === null) return stream.claimableUnknown ? "end not known" : "never ends";
  const left = stream.endTime - milliseconds / 1000;
  return left <= 0 ? "ran out" : `runs out in ${duration(left)}`;
}

/** A label with the status of a stream, or "ran out" if its deposit has run out. */
export function statusChip(stream) {
  const ranOut = stream.status === "active" && stream.ending === "depleted";
  return h("span", { class: "chip", "data-tone": ranOut ? "held" : stream.status }, ranOut ? "ran out" : stream.status);
}

/** A bar that shows how much of the deposit is withdrawn, claimable and refunded. */
export function progress(stream) {
  const parts = ["withdrawn", "claimable", "refunded"].map((name) => h("span", { "data-part": name }));
  const bar = h("div", { class: "bar", role: "img" }, ...parts);
  return moves(bar, (time) => {
    const found = shares(stream(), time);
    for (const part of parts) part.style.width = `${found[part.dataset.part]}%`;
    const words = `${Math.round(found.withdrawn)} % withdrawn, ${Math.round(found.claimable)} % claimable`;
    if (bar.getAttribute("aria-label") !== words) bar.setAttribute("aria-label", words);
  });
}

/** A label for a stream that its recipient has not accepted; null for an accepted one. */
export const answerChip = ({ acceptance }) =>
  acceptance === "accepted" ? null : h("span", { class: "chip", "data-tone": "quiet" }, acceptance);

/** A row for one stream: {node, update(stream), stream}. `more(stream)` adds {node, update}. */
export function streamRow(first, more = null) {
  let stream = first;
  const added = more?.(() => stream);
  const status = h("span", { class: "status-of" });
  const title = h("a", { class: "name", dir: "auto", href: `#/streams/${stream.id}` });
  const until = h("span", { class: "until" });
  const total = h("span", { class: "of" });
  const parties = h("span", { class: "parties" });
  const count = counter(() => stream, { "aria-label": "claimable" });
  const node = h("li", { class: "stream", "data-id": stream.id },
    h("div", { class: "what" }, title,
      parties),
    h("div", { class: "money" }, h("span", { class: "count" }, count, " ", unit(stream.tokenAddress, { brief: true })), total),
    h("div", { class: "course" }, progress(() => stream), h("span", { class: "line" }, status, until)),
    added?.node);
  function update(next) {
    stream = next;
    say(title, stream.metadata.label || `Stream ${streamName(stream.id)}`);
    status.replaceChildren(...[statusChip(stream), answerChip(stream)].filter(Boolean));
    added?.update();
    total.replaceChildren("of ", amount(stream.depositedAmount, stream.tokenAddress));
    if (parties.dataset.recipient !== stream.recipient) {
      parties.dataset.recipient = stream.recipient;
      parties.replaceChildren(party(stream.sender), " → ", party(stream.recipient));
    }
    node.dataset.status = stream.status;
    node.dataset.version = stream.version;
    node.dataset.flows = flows(stream, now());
  }
  update(stream);
  moves(until, (time) => {
    say(until, ends(stream, time));
    const exact = `Claimable: ${count.title || "not known"}. Deposit: ${rawText(stream.depositedAmount)}.`;
    if (node.title !== exact) node.title = exact; // the link covers the amounts, so their own titles are never shown
  });
  return { node, update, get stream() { return stream; } };
}
