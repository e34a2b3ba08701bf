/** The matches of a search that the page does itself: those that have a row, and those that wait for one. */

import { keepFocus } from "./dom.js";
import { isNewer } from "./stream_list.js";

/** The newest version of each stream. */
function distinct(streams) {
  const found = new Map();
  for (const stream of streams) {
    if (!(found.get(stream.id)?.version > stream.version)) found.set(stream.id, stream);
  }
  return [...found.values()];
}

/** The matches. `list` is the StreamList with the rows. */
export class Results {
  #list;
  #above = isNewer;
  #waiting = [];

  constructor(list) { this.#list = list; }

  /** True if known matches have no row yet. */
  get isWaiting() { return this.#waiting.length > 0; }

  /** True in any order but that of the API. Then a stream that was not read yet can belong above others. */
  get #isSorted() { return this.#above !== isNewer; }

  /** Begin without matches. */
  clear(above) {
    this.#above = above;
    this.#waiting = [];
    this.#list.clear(above);
  }

  /** Add matches, and give the first `rows` of those that wait a row. `isRead`: all streams were read. */
  add(matches, rows, isRead) {
    const all = distinct([...this.#waiting, ...matches]).sort((a, b) => (this.#above(a, b) ? -1 : 1));
    const shown = all.splice(0, rows);
    this.#waiting = all;
    this.#list.load(shown, !this.isWaiting && (isRead || this.#isSorted));
  }

  /** Add matches that can belong between the rows, with `more` rows more. */
  mix(matches, more, isRead) {
    const rows = this.#list.size + more;
    keepFocus(this.#list.node, () => {
      this.#waiting.push(...this.#list.streams);
      this.#list.clear();
      this.add(matches, rows, isRead);
    });
  }

  /** A stream is new, or has changed. `isOld`: a stream of which the page did not know is not new. */
  arrived(stream, isMatch, isOld) {
    const list = this.#list;
    const isKnown = list.has(stream.id) || this.#waiting.some(({ id }) => id === stream.id);
    if (!isMatch) list.drop(stream.id);
    else if (!isOld || list.has(stream.id)) keepFocus(list.node, () => this.#place(stream));
    this.#waiting = this.#waiting.filter(({ id }) => id !== stream.id);
    const waits = isMatch && !list.has(stream.id) && (isKnown || (this.#isSorted && !isOld));
    if (waits) this.#waiting.push(stream);
  }

  #place(stream) {
    if (this.#isSorted) this.#list.drop(stream.id); // the change may have moved it
    this.#list.put(stream);
  }
}
