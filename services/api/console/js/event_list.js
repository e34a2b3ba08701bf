/**
 * Events as rows, newest first. The contract tells a fee as an event of its own, just before the event
 * for which the fee was paid. Such a fee is shown in the row of that event.
 */

import { redraw } from "./amounts.js";
import { h, keepFocus } from "./dom.js";
import { eventRow } from "./events.js";

const FEE = "stream.fee_collected";
const WITH_FEE = new Set(["stream.created", "stream.topped_up"]);
const NEAR = 10; // rows among which a fee is looked for: only events of the same transaction are between

/** True if `fee` is the fee that was paid for `event`. Pure. */
export const isFeeOf = (fee, event) => fee.type === FEE && WITH_FEE.has(event.type) &&
  fee.streamId === event.streamId && Boolean(fee.txHash) && fee.txHash === event.txHash;

/** The list: {node, size}. */
export class EventList {
  #rows = []; // {event, node}, newest first
  #most;
  #options;

  /** `most`: the number of rows that are kept. `options`: see `eventRow`. */
  constructor(label, { most = Infinity, className = "events", ...options } = {}) {
    this.#most = most;
    this.#options = options;
    this.node = h("ol", { class: className, "aria-label": label });
  }

  get size() { return this.#rows.length; }

  /** Show these events instead, newest first as the API lists them. */
  load(events) {
    keepFocus(this.node, () => {
      this.#rows = [];
      this.node.replaceChildren();
      events.toReversed().forEach((event) => this.add(event));
    });
  }

  /** Add an event that is newer than all others. `late`: see `eventRow`. */
  add(event, late = null) {
    const near = this.#rows.slice(0, NEAR);
    const fee = near.find((row) => isFeeOf(row.event, event))?.event ?? null;
    if (fee) this.#remove(near.findIndex((row) => row.event === fee));
    const node = eventRow(event, { ...this.#options, late, fee });
    redraw(node); // its token may have become known while the event waited
    this.#rows.unshift({ event, node });
    this.node.prepend(node);
    while (this.size > this.#most) this.#remove(this.size - 1);
  }

  #remove(at) {
    const [{ node }] = this.#rows.splice(at, 1);
    const neighbour = this.#rows[Math.min(at, this.size - 1)];
    keepFocus(node, () => node.remove(), () => neighbour?.node.querySelector("a"));
  }
}
