/**
 * A list of streams in an order, by default that of the API: newest first. Its rows are always the first
 * streams in this order that match, without a hole. An event adds a row only where it belongs.
 */

import { h, keepFocus } from "./dom.js";
import { streamRow } from "./stream_row.js";

const NEW = 200; // most rows beyond those that were loaded: a flood of events must not fill the page

/** The order of the API's lists: by creation, then by the padded id (shared/journal/indexes.py). */
const place = ({ createdAt, id }) => `${String(createdAt).padStart(12, "0")}:${id.padStart(20, "0")}`;

/** True if `a` is above `b` in a list. Pure. */
export const isNewer = (a, b) => place(a) > place(b);

/** The list: {node, size, isWhole, isCut}. */
export class StreamList {
  #rows = new Map(); // by id
  #order = []; // the same rows, in their order
  #loaded = 0;
  #row;
  #above;

  /** False if further streams match too, and have no row. */
  isWhole = true;

  /** True if rows were removed because many streams have arrived. */
  isCut = false;

  /** `row(stream)` makes a row: see `streamRow`. `above(a, b)`: true if stream `a` stands above `b`. */
  constructor(label, row = streamRow, above = isNewer) {
    this.#row = row;
    this.#above = above;
    this.node = h("ol", { class: "streams", "aria-label": label });
  }

  get size() { return this.#order.length; }

  /** The streams of the rows, in their order. */
  get streams() { return this.#order.map(({ stream }) => stream); }

  has(id) { return this.#rows.has(id); }

  /** Remove all rows. With `above`, the rows have another order from now on. */
  clear(above = this.#above) {
    this.#above = above;
    this.#rows.clear();
    this.#order = [];
    this.#loaded = 0;
    this.isCut = false;
    this.isWhole = true;
    this.node.replaceChildren();
  }

  /** Add a page of the API's list. `isLast`: no older streams match. */
  load(streams, isLast) {
    this.#loaded += streams.length;
    this.isWhole = true;
    streams.forEach((stream) => this.put(stream));
    this.isWhole = isLast;
  }

  /**
   * Update the row of a stream, or add a row in its place. Ignores a stream that is older than its row,
   * and a new stream below all rows if the streams between them are not loaded.
   */
  put(stream) {
    const row = this.#rows.get(stream.id);
    if (row) return stream.version > row.stream.version ? row.update(stream) : undefined;
    const below = this.#order.findIndex((each) => this.#above(stream, each.stream));
    if (below >= 0 || this.isWhole || !this.size) this.#insert(stream, below < 0 ? this.size : below);
    return undefined;
  }

  #insert(stream, at) {
    const row = this.#row(stream);
    this.#rows.set(stream.id, row);
    this.node.insertBefore(row.node, this.#order[at]?.node ?? null);
    this.#order.splice(at, 0, row);
    if (this.size <= this.#loaded + NEW) return;
    this.drop(this.#order.at(-1).stream.id);
    this.isCut = true;
    this.isWhole = false;
  }

  /** Remove a stream. It can be added again. */
  drop(id) {
    const row = this.#rows.get(id);
    if (!row) return;
    const at = this.#order.indexOf(row);
    this.#rows.delete(id);
    this.#order.splice(at, 1);
    const neighbour = this.#order[Math.min(at, this.size - 1)];
    keepFocus(row.node, () => row.node.remove(), () => neighbour?.node.querySelector("a"));
  }
}
