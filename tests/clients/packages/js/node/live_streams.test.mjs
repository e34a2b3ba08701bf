import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { LiveStreams, NOTHING } from "../../../../../clients/js/src/live_streams.js";
import { World } from "./world.mjs";

const rest = () => new Promise((resolve) => setTimeout(resolve, 5));
const stream = (id, version, more = {}) => ({ id, version, sender: "GA", recipient: "GB", acceptance: "accepted", createdAt: Number(id), ...more });

const removals = [];
afterEach(() => removals.splice(0).forEach((remove) => remove()));

/** Listen until the end of the test. */
function listen(live, listener = () => {}) {
  const remove = live.subscribe(listener);
  removals.push(remove);
  return remove;
}

/** A world whose API has these streams, by query; `answer` may replace an answer. */
function installed(lists) {
  const world = new World();
  const asked = [];
  const fetch = async (address) => {
    const { pathname, search } = new URL(address, "http://console");
    asked.push(pathname + search);
    const found = lists(pathname, new URLSearchParams(search));
    const { status = 200, body = { items: [], next: null, position: "5-0" }, position = null } = found ?? {};
    return { ok: status < 400, status, json: async () => body, headers: new Map([["Headrace-Position", position]]) };
  };
  const env = world.globals({ navigator: {} });
  return { world, asked, make: (options) => new LiveStreams({ env, fetch, ...options }) };
}

test("nothing happens before somebody listens", async () => {
  const { world, make, asked } = installed(() => null);
  const live = make({ users: "GA" });
  await rest();
  assert.equal(live.current(), NOTHING);
  assert.deepEqual([world.sources.length, asked.length], [0, 0]);
});

test("a snapshot and the events after it, newest first; an older version changes nothing", async () => {
  const pages = { "": [stream("2", 3), stream("1", 1)], c: [stream("0", 1)] };
  const { world, make, asked } = installed((path, query) => {
    if (query.get("acceptance")) return { body: { items: [stream("3", 1, { acceptance: "pending" })], next: null, position: "7-0" } };
    const cursor = query.get("cursor") ?? "";
    return { body: { items: pages[cursor], next: cursor ? null : "c", position: cursor ? "9-0" : "6-0" } };
  });
  const live = make({ users: ["GA"] });
  let changes = 0;
  listen(live, () => changes++);
  await rest();
  world.source.connect("5-0");
  const send = (n, of) => world.source.send("stream.withdrawn", { id: `${n}-0`, type: "stream.withdrawn", stream: of }, `${n}-0`);
  send(6, stream("2", 2)); // the lists were read at 6-0 at the earliest: it is in them
  await rest();
  send(7, stream("2", 3));
  send(8, stream("4", 1));
  send(9, stream("2", 4, { status: "paused" }));
  const before = changes;
  await rest();
  assert.equal(changes, before + 1, "one call for events that arrive together");
  const { streams, events, state, lag, error } = live.current();
  assert.deepEqual(streams.map(({ id, version }) => [id, version]), [["4", 1], ["3", 1], ["2", 4], ["1", 1], ["0", 1]]);
  assert.deepEqual(events.map(({ id }) => id), ["9-0", "8-0", "7-0"]);
  assert.deepEqual([state, lag, error], ["live", null, null]);
  assert.deepEqual(asked, ["/v1/streams?user=GA&limit=200", "/v1/streams?user=GA&acceptance=pending&limit=200", "/v1/streams?user=GA&limit=200&cursor=c"]);
});

test("a stream that went to others is removed", async () => {
  const { world, make } = installed((_, query) => (query.get("acceptance") ? null : { body: { items: [stream("1", 1)], next: null, position: "5-0" } }));
  const live = make({ users: "GB" });
  listen(live);
  await rest();
  world.source.connect("5-0");
  await rest();
  assert.equal(live.current().streams.length, 1);
  world.source.send("stream.recipient_transferred", { id: "6-0", stream: stream("1", 2, { recipient: "GC" }) }, "6-0");
  await rest();
  assert.deepEqual([live.current().streams.length, live.current().events.length], [0, 1]);
});

test("streams by their ids are loaded one by one, and may not exist yet", async () => {
  const { world, make } = installed((path) => (path.endsWith("/7") ? { body: stream("7", 1), position: "5-0" } : { status: 404 }));
  const live = make({ streams: [7, 8] });
  listen(live);
  await rest();
  world.source.connect("5-0");
  await rest();
  assert.deepEqual(live.current().streams.map(({ id }) => id), ["7"]);
  assert.equal(live.current().error, null);
});

test("a refusal is an error, with the message of the API", async () => {
  const { world, make } = installed(() => ({ status: 403, body: { detail: "not yours" } }));
  const live = make({ users: "GA" });
  listen(live);
  await rest();
  world.source.connect("5-0");
  await rest();
  assert.equal(live.current().error.message, "not yours");
});

test("the last listener closes the connection, but not if it comes back at once", async () => {
  const { world, make } = installed(() => null);
  const live = make({ all: true });
  live.subscribe(() => {})();
  const remove = listen(live);
  await rest();
  assert.equal(world.sources.length, 1);
  world.source.connect("5-0");
  await rest();
  remove();
  await rest();
  assert.equal(world.open.length, 0);
  assert.equal(live.current().state, "closed");
});
