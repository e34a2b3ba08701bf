import assert from "node:assert/strict";
import { test } from "node:test";

import { stream } from "./samples.mjs";

/** As much of an element as a list needs. */
class Element {
  children = [];
  #list = null;
  setAttribute() {}
  contains() { return false; }
  querySelector() { return null; }
  append(...nodes) { nodes.forEach((node) => this.insertBefore(node, null)); }
  insertBefore(node, next) {
    node.remove();
    node.#list = this;
    this.children.splice(next ? this.children.indexOf(next) : this.children.length, 0, node);
  }
  remove() {
    this.#list?.children.splice(this.#list.children.indexOf(this), 1);
    this.#list = null;
  }
  replaceChildren() { [...this.children].forEach((node) => node.remove()); }
}

globalThis.matchMedia = () => ({ matches: false });
globalThis.localStorage = { getItem: () => null };
globalThis.document = { createElement: () => new Element() };

const js = "../../../services/api/console/js";
const { StreamList } = await import(`${js}/stream_list.js`);
const { Results } = await import(`${js}/results.js`);
const { order } = await import(`${js}/search.js`);

function row(first) {
  const made = { node: new Element(), stream: first, update(next) { made.stream = made.node.stream = next; } };
  made.update(first);
  return made;
}

/** A list in an order, with the first two of four matches as rows. `isRead`: no older stream is unread. */
function begun(sort, isRead) {
  const list = new StreamList("Streams", row);
  const results = new Results(list);
  results.clear(order(sort, () => ({ decimals: 2 })));
  results.add([sum("1", 500), sum("2", 900), sum("3", 700), sum("4", 300)], 2, isRead);
  const ids = () => list.node.children.map(({ stream: { id } }) => id).join();
  return { list, results, ids };
}

const sum = (id, deposit, more = {}) => stream({ id, depositedAmount: String(deposit), ...more });

for (const isRead of [false, true]) {
  const words = isRead ? "" : " while older streams are not read yet";
  test(`a new match gets its row in the chosen order at once${words}`, () => {
    const { results, ids } = begun("amount", isRead);
    assert.equal(ids(), "2,3");
    results.arrived(sum("5", 800), true, false);
    results.arrived(sum("6", 1000), true, false);
    assert.equal(ids(), "6,2,5,3");
  });

  test(`a new match below rows that wait is among them${words}`, () => {
    const { results, ids } = begun("amount", isRead);
    results.arrived(sum("5", 400), true, false);
    assert.equal(ids(), "2,3", "its place is below a match that has no row");
    results.add([], 2, isRead);
    assert.equal(ids(), "2,3,1,5");
    results.arrived(sum("6", 350), true, false);
    results.add([], 2, isRead);
    assert.equal(ids(), "2,3,1,5,6,4");
    assert.ok(!results.isWaiting);
    results.arrived(sum("7", 100), true, false);
    assert.equal(ids(), "2,3,1,5,6,4,7", "no known match is above it that has no row");
  });
}

test("a stream that was not read and has come as an event is not shown twice", () => {
  const { results, ids, list } = begun("amount", false);
  results.arrived(sum("5", 100, { version: 2 }), true, false);
  results.mix([sum("5", 100), sum("6", 950)], 2, true);
  assert.deepEqual([ids(), list.size], ["6,2,3,1", 4]);
  results.add([], 2, true);
  assert.equal(ids(), "6,2,3,1,4,5");
  assert.equal(list.streams.at(-1).version, 2, "the newer version stays");
});

test("a change moves a row, and a stream that does not match any more leaves", () => {
  const { results, ids } = begun("amount", false);
  results.arrived(sum("3", 1000, { version: 2 }), true, false);
  assert.equal(ids(), "3,2");
  results.arrived(sum("3", 1000, { version: 3 }), false, false);
  assert.equal(ids(), "2");
  results.arrived(sum("1", 950, { version: 2 }), true, false);
  assert.equal(ids(), "1,2", "it has waited, and belongs to the rows now");
  results.arrived(sum("9", 5000), true, true);
  assert.equal(ids(), "1,2", "a snapshot of a stream that was not read");
});

test("in the order of the API, a new match is the first one", () => {
  const { results, ids } = begun("", false);
  assert.equal(ids(), "4,3");
  results.arrived(sum("5", 1), true, false);
  results.arrived(sum("0", 1), true, false);
  results.add([], 2, false);
  assert.equal(ids(), "5,4,3,2,1");
});
