import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { comparePositions, Versions } from "../../../../../clients/js/src/headrace.js";
import { event, settle, World } from "./world.mjs";

let world;
beforeEach(() => {
  world = new World();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
});
afterEach(() => mock.timers.reset());

/** A follower whose loads are answered by hand. */
function following(tab) {
  const made = { loads: [], applied: [], failures: [] };
  made.stop = tab.headrace.follow({
    load: () => new Promise((resolve, reject) => made.loads.push({ resolve, reject })),
    apply: (each) => made.applied.push(each.id),
    failed: (error) => made.failures.push(error.message),
  });
  return made;
}

async function begin() {
  const tab = world.tab();
  await settle();
  const made = following(tab);
  await settle();
  assert.equal(made.loads.length, 0, "a snapshot before the connection could miss what comes between");
  world.source.connect("1-0");
  await settle();
  return made;
}

const send = (n) => world.source.send("stream.withdrawn", event(n), `${n}-0`);

test("what comes while the snapshot is read is in it or follows it, never both and never neither", async () => {
  const made = await begin();
  [2, 3, 4].forEach(send);
  assert.deepEqual(made.applied, []);
  made.loads[0].resolve("3-0");
  await settle();
  send(5);
  assert.deepEqual(made.applied, ["4-0", "5-0"]);
});

test("events that the snapshot knew already, because it was read ahead of the connection, are dropped", async () => {
  const made = await begin();
  made.loads[0].resolve("4-0");
  await settle();
  [2, 3, 4, 5].forEach(send);
  assert.deepEqual(made.applied, ["5-0"]);
});

test("after a gap it is loaded anew, and an answer to the older question is dropped", async () => {
  const made = await begin();
  world.source.send("gap", { from: "1-0", to: "6-0" }, "6-0");
  await settle();
  assert.equal(made.loads.length, 2);
  send(7);
  made.loads[0].resolve("1-0");
  await settle();
  assert.deepEqual(made.applied, []);
  made.loads[1].resolve("6-0");
  await settle();
  assert.deepEqual(made.applied, ["7-0"]);
});

test("a load that fails is told; one that may pass is tried again, a refusal is not", async () => {
  const made = await begin();
  made.loads[0].reject(Object.assign(new Error("away"), { status: 503 }));
  await settle();
  mock.timers.tick(2000);
  await settle();
  assert.equal(made.loads.length, 2);
  made.loads[1].reject(Object.assign(new Error("not yours"), { status: 403 }));
  await settle();
  mock.timers.tick(60_000);
  await settle();
  assert.deepEqual([made.loads.length, made.failures], [2, ["away", "not yours"]]);
});

test("after it is stopped nothing is applied, not even what was being loaded", async () => {
  const made = await begin();
  send(2);
  made.stop();
  made.loads[0].resolve("1-0");
  await settle();
  send(3);
  assert.deepEqual(made.applied, []);
});

test("positions compare by number beyond 2^53, in both halves", () => {
  const ordered = ["9-0", "10-0", "10-9", "10-10", "16010972359577600-9007199254740993", "16010972359577600-9007199254740994", "16010972359577601-0"];
  for (const [i, a] of ordered.entries()) {
    for (const [j, b] of ordered.entries()) assert.equal(comparePositions(a, b), Math.sign(i - j), `${a} ${b}`);
  }
});

test("only a higher version of a stream is news", () => {
  const versions = new Versions();
  const news = [["7", 2], ["7", 2], ["7", 1], ["8", 1], ["7", 3]].map(([id, version]) => versions.isNews({ id, version }));
  assert.deepEqual(news, [true, false, false, true, true]);
});
