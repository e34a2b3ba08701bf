import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { event, settle, World } from "./world.mjs";

let world;
beforeEach(() => {
  world = new World();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
});
afterEach(() => mock.timers.reset());

const send = (n) => world.source.send("stream.withdrawn", event(n), `${n}-0`);

async function live(options) {
  const tab = world.tab(options);
  await settle();
  world.source.connect("1-0");
  await settle();
  return tab;
}

test("events arrive typed and in order, and one that came already does not come again", async () => {
  const tab = await live();
  assert.equal(world.source.parameters.all, "true");
  [2, 3, 3, 2, 4].forEach(send);
  assert.deepEqual(tab.events, ["2-0", "3-0", "4-0"]);
  assert.equal(tab.headrace.position, "4-0");
});

test("a reload resumes after the last event that the tab has seen", async () => {
  const tab = await live();
  send(2);
  tab.headrace.close();
  world.tab({}, tab.storage);
  await settle();
  assert.equal(world.source.parameters.last_event_id, "2-0");
});

test("what a tab saw long ago is not resumed from", async () => {
  const tab = await live();
  send(2);
  tab.headrace.close();
  mock.timers.tick(601_000);
  world.tab({}, tab.storage);
  await settle();
  assert.equal(world.source.parameters.last_event_id, undefined);
});

test("gap and reset ask for a reload; after a reset positions begin anew", async () => {
  const tab = await live();
  world.source.send("gap", { from: "1-0", to: "5-0" }, "5-0");
  world.source.send("reset", { position: "3-0", reason: "another journal" }, "3-0");
  send(4);
  assert.deepEqual(tab.reloads, ["gap", "reset"]);
  assert.deepEqual(tab.events, ["4-0"]);
});

test("overload and goodbye are told, with their reason, until it is live again", async () => {
  const tab = await live();
  world.source.send("goodbye", { reason: "draining", retry: 10 });
  world.source.fail(0);
  assert.deepEqual([tab.headrace.state.status, tab.headrace.state.reason], ["reconnecting", "draining"]);
  world.source.connect("1-0");
  assert.deepEqual([tab.headrace.state.status, tab.headrace.state.reason], ["live", ""]);
});

test("sync tells how far behind the chain we are", async () => {
  const tab = await live();
  world.source.send("sync", { position: "9-0", ledger: 12, lagSeconds: 2.5 }, "9-0");
  assert.deepEqual([tab.headrace.state.lagSeconds, tab.headrace.state.ledger], [2.5, 12]);
  assert.equal(tab.headrace.position, "9-0");
});

test("while the browser reconnects by itself nothing is opened; when it gave up, we do, later each time", async () => {
  const tab = await live();
  world.source.fail(0);
  mock.timers.tick(20_000);
  await settle();
  assert.equal(world.sources.length, 1);
  send(2);
  for (const [most, count] of [[500, 2], [1000, 3], [2000, 4]]) {
    world.source.fail(2);
    mock.timers.tick(most / 2 - 1);
    await settle();
    assert.equal(world.sources.length, count - 1, "not at once");
    mock.timers.tick(most / 2 + 1);
    await settle();
    assert.equal(world.sources.length, count);
    assert.equal(world.source.parameters.last_event_id, "2-0");
  }
  assert.equal(tab.headrace.state.status, "reconnecting");
});

test("a connection on which nothing is heard is opened anew", async () => {
  await live();
  mock.timers.tick(29_000);
  assert.equal(world.open.length, 1);
  world.source.send("sync", { position: "1-0" }, "1-0");
  mock.timers.tick(29_000);
  assert.equal(world.open.length, 1);
  mock.timers.tick(1500);
  assert.equal(world.open.length, 0);
  mock.timers.tick(600);
  await settle();
  assert.equal(world.open.length, 1);
});

test("who is told again and again to come back later has heard something", async () => {
  const tab = await live();
  for (let n = 0; n < 10; n++) {
    world.source.fail(0);
    mock.timers.tick(7_000);
    world.source.send("overload", { reason: "no replica can take this connection now", retry: 7000 });
  }
  assert.equal(tab.headrace.state.reason, "no replica can take this connection now");
  assert.equal(world.sources.length, 1);
});

test("each connection has a ticket of its own; before the token ends a new one takes over", async () => {
  let tickets = 0;
  const tab = await live({ ticket: async () => `t${++tickets}` });
  const [first] = world.sources;
  assert.equal(first.parameters.ticket, "t1");
  send(2);
  first.send("token_expiring", { at: 1 });
  await settle();
  const [, second] = world.sources;
  assert.deepEqual(second.parameters, { all: "true", ticket: "t2", last_event_id: "2-0" });
  first.send("stream.withdrawn", event(3), "3-0");
  assert.equal(first.closed, false, "it serves until the new one does");
  second.connect("2-0");
  assert.equal(first.closed, true);
  second.send("stream.withdrawn", event(3), "3-0");
  second.send("stream.withdrawn", event(4), "4-0");
  assert.deepEqual(tab.events, ["2-0", "3-0", "4-0"]);
  second.send("token_expiring", { at: 1 });
  await settle();
  assert.equal(world.sources.length, 2, "a token that stays the same is no reason to go round in circles");
});

test("without a login there is no connection, and the page is told; another failure is tried again", async () => {
  let status = 503;
  const ticket = async () => { throw Object.assign(new Error("no"), { status }); };
  const tab = world.tab({ ticket });
  await settle();
  assert.equal(tab.headrace.state.status, "reconnecting");
  status = 401;
  mock.timers.tick(600);
  await settle();
  assert.equal(tab.headrace.state.status, "refused");
  mock.timers.tick(40_000);
  await settle();
  assert.equal(world.sources.length, 0);
});

test("without Web Locks a tab has a connection of its own", async () => {
  const tab = world.tab({ env: { navigator: {} } });
  await settle();
  world.source.connect("1-0");
  send(2);
  assert.deepEqual(tab.events, ["2-0"]);
});

test("where storage is denied events arrive all the same", async () => {
  const env = { get sessionStorage() { throw new DOMException("denied", "SecurityError"); } };
  const tab = await live({ env });
  send(2);
  assert.deepEqual(tab.events, ["2-0"]);
});

test("a new connection that fails leaves no older one behind", async () => {
  let tickets = 0;
  const tab = await live({ ticket: async () => `t${++tickets}`, user: "GA" });
  world.source.send("token_expiring", { at: 1 });
  await settle();
  world.source.fail(2);
  assert.equal(world.open.length, 0);
  mock.timers.tick(600);
  await settle();
  assert.equal(world.open.length, 1);
  tab.headrace.close();
  assert.equal(world.open.length, 0);
});

test("a frame that may make no channel has a connection of its own", async () => {
  const BroadcastChannel = function BroadcastChannel() { throw new DOMException("denied", "SecurityError"); };
  const tab = await live({ env: { BroadcastChannel } });
  send(2);
  assert.deepEqual(tab.events, ["2-0"]);
});

test("without an EventSource, as in Node, fetch reads the events, and the server says when to come back", async () => {
  const chunks = [];
  const answers = [];
  const fetch = async (url, { signal }) => {
    answers.push(url);
    const body = new ReadableStream({ start: (controller) => chunks.push(controller) });
    signal.addEventListener("abort", () => {});
    return { status: 200, body };
  };
  const tab = world.tab({ url: "http://h.example", env: { EventSource: undefined, navigator: {}, fetch } });
  const write = async (text) => { chunks.at(-1).enqueue(new TextEncoder().encode(text)); await turns(); };
  await until(() => chunks.length === 1); // the module is loaded first
  await write('retry: 7000\ndata: {"type":"connected"}\nid: 1-0\n\n');
  await write('event: stream.withdrawn\ndata: {"id":"2-0"}\nid: 2-0\n\nevent: goodbye\ndata: {"reason":"draining"}\n\n');
  chunks.at(-1).close();
  await turns();
  assert.deepEqual([tab.events, tab.headrace.state.status, tab.headrace.state.reason], [["2-0"], "reconnecting", "draining"]);
  mock.timers.tick(6_999);
  await turns();
  assert.equal(answers.length, 1);
  mock.timers.tick(1);
  await until(() => answers.length === 2);
  assert.equal(new URL(answers[1]).searchParams.get("last_event_id"), "2-0");
  tab.headrace.close();
});

const until = async (condition) => { while (!condition()) await turns(); };

/** Time for promises of Node's own streams. */
async function turns() {
  for (let n = 0; n < 20; n++) await new Promise(setImmediate);
}
