import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { event, settle, World } from "./world.mjs";

let world;
beforeEach(() => {
  world = new World();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
});
afterEach(() => mock.timers.reset());

const send = async (...numbers) => {
  for (const n of numbers) world.source.send("stream.withdrawn", event(n), `${n}-0`);
  await settle();
};

async function tabs(count, options) {
  const all = [];
  for (let n = 0; n < count; n++) {
    all.push(world.tab(options));
    await settle();
    if (n === 0) world.source.connect("1-0");
    await settle();
  }
  return all;
}

test("tabs share one connection, and each gets every event once", async () => {
  const all = await tabs(10);
  await send(2, 3);
  assert.equal(world.sources.length, 1);
  for (const tab of all) assert.deepEqual(tab.events, ["2-0", "3-0"]);
  assert.deepEqual(all.map(({ headrace }) => headrace.state.leader), [true, ...Array(9).fill(false)]);
  assert.ok(all.every(({ headrace }) => headrace.state.status === "live"));
});

test("users do not share", async () => {
  await tabs(1, { user: "GA" });
  world.tab({ user: "GB" });
  await settle();
  assert.equal(world.sources.length, 2);
});

test("when the tab that held it closes, another goes on where it was", async () => {
  const [first, second, third] = await tabs(3);
  await send(2);
  first.headrace.close();
  await settle();
  assert.equal(world.open.length, 1);
  assert.equal(world.source.parameters.last_event_id, "2-0");
  world.source.connect("2-0");
  await send(3);
  assert.deepEqual([second.events, third.events], [["2-0", "3-0"], ["2-0", "3-0"]]);
});

test("a tab that opens later hears at once how things are", async () => {
  await tabs(1);
  await send(2);
  const late = world.tab();
  await settle();
  assert.equal(late.headrace.state.status, "live");
  assert.equal(late.headrace.position, "2-0");
});

test("what a tab was not told is read from the history, before what comes after it", async () => {
  const [, second] = await tabs(2);
  await send(2);
  world.latest.deaf = true;
  await send(3, 4);
  world.latest.deaf = false;
  world.history = [3, 4, 5].map((n) => event(n));
  await send(5, 6);
  assert.deepEqual(second.events, ["2-0", "3-0", "4-0", "5-0", "6-0"]);
  assert.deepEqual(world.asked, [{ all: "true", order: "asc", limit: "500", after: "2-0" }]);
});

test("a tab that was reloaded beside others reads what it missed", async () => {
  const [, second] = await tabs(2);
  await send(2);
  second.headrace.close();
  await send(3);
  world.history = [event(3)];
  const again = world.tab({}, second.storage);
  await settle();
  await send(4);
  assert.deepEqual(again.events, ["3-0", "4-0"]);
});

test("when the history cannot be read the page is told to load anew", async () => {
  const [, second] = await tabs(2);
  second.env.fetch = async () => ({ ok: false, status: 503 });
  world.latest.deaf = true;
  await send(2);
  world.latest.deaf = false;
  await send(3);
  assert.deepEqual(second.reloads, ["unread"]);
  assert.deepEqual(second.events, ["3-0"]);
});

test("a tab that fell silent loses the connection to one that waits, and takes it back when that closes", async () => {
  const [first, second] = await tabs(2);
  world.channels.forEach((channel) => { channel.deaf = true; }); // the first sleeps
  first.headrace.on("state", () => {});
  mock.timers.tick(44_000);
  world.sources[0].send("sync", { position: "1-0" }, "1-0"); // its own connection lives
  mock.timers.tick(1500);
  await settle();
  assert.deepEqual([first.headrace.state.leader, second.headrace.state.leader], [false, true]);
  assert.equal(world.open.length, 1);
  second.headrace.close();
  await settle();
  assert.equal(first.headrace.state.leader, true);
  assert.equal(world.open.length, 1);
});

test("a frame that may share nothing has a connection of its own", async () => {
  const refused = () => Promise.reject(Object.assign(new Error("no origin"), { name: "SecurityError" }));
  const tab = world.tab({ env: { navigator: { locks: { request: refused } } } });
  await settle();
  assert.equal(world.open.length, 1);
  world.source.connect("1-0");
  await send(2);
  assert.deepEqual(tab.events, ["2-0"]);
});

test("when nothing was heard for two syncs, every tab says so and a new connection is made", async () => {
  const [first, second] = await tabs(2);
  const dead = world.source;
  world.channels.forEach((channel) => { channel.deaf = true; }); // the holder's tab is frozen
  mock.timers.tick(29_000);
  assert.deepEqual([first, second].map((tab) => tab.headrace.state.status), ["live", "live"]);
  mock.timers.tick(1_000);
  for (const tab of [first, second]) {
    assert.equal(tab.headrace.state.status, "reconnecting");
    assert.equal(tab.headrace.state.reason, "no data for 30 seconds");
  }
  world.channels.forEach((channel) => { channel.deaf = false; });
  mock.timers.tick(1_000);
  await settle();
  assert.ok(dead.closed);
  assert.equal(world.open.length, 1);
  world.source.connect("1-0");
  await send(2);
  assert.deepEqual(second.events, ["2-0"]);
});
