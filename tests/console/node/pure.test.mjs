import assert from "node:assert/strict";
import { test } from "node:test";

// The modules of the page that draw nothing by themselves need little of a browser to load.
globalThis.matchMedia = () => ({ matches: false });
globalThis.localStorage = { getItem: () => null };

const js = "../../../services/api/console/js";
const { historyOf, passes } = await import(`${js}/live.js`);
const { belongs, meaning } = await import(`${js}/search.js`);
const { course, outlook } = await import(`${js}/course.js`);
const { rate } = await import(`${js}/system.js`);
const { points } = await import(`${js}/spark.js`);
const { describe } = await import(`${js}/status.js`);
const { duration, span, short } = await import(`${js}/format.js`);
const { factsOf, nameOf } = await import(`${js}/events.js`);
const { ends } = await import(`${js}/stream_row.js`);
const { isNewer } = await import(`${js}/stream_list.js`);
const { whyUnknown } = await import(`${js}/stream.js`);
const { claimable, flows } = await import(`${js}/money.js`);
const { parse } = await import(`${js}/router.js`);
const clock = await import(`${js}/clock.js`);

const ALICE = `G${"A".repeat(55)}`;
const BOB = `G${"B".repeat(55)}`;
const stream = (more = {}) => ({
  id: "7", origin: "api", version: 1, status: "active", sender: ALICE, recipient: BOB, acceptance: "accepted",
  ratePerSecond: "10", depositedAmount: "1000", withdrawnAmount: "0", refundedAmount: "0",
  startTime: 100, lastUpdateTime: 100, endTime: 200, pausedAt: null, ending: null, metadata: {},
  createdAt: 100, ...more,
});

test("the connection is described as it is", () => {
  const of = (status, more = {}) => describe({ status, reason: "", lagSeconds: 2, ...more });
  assert.deepEqual(of("live"), ["live", "Live"]);
  assert.deepEqual(of("live", { lagSeconds: 42 }), ["late", "Behind by 42 s"]);
  assert.deepEqual(describe({ status: "live", lagSeconds: null }, 75), ["late", "Behind by 1 min 15 s"]);
  assert.deepEqual(of("reconnecting", { reason: "draining" }), ["away", "Reconnecting… (the server is being replaced)"]);
  assert.deepEqual(of("refused"), ["away", "Log in again"]);
  assert.deepEqual(of("connecting"), ["away", "Connecting…"]);
});

test("a filter passes the events of a stream, an account on either side, a type", () => {
  const event = { streamId: "7", sender: ALICE, recipient: BOB, type: "stream.paused" };
  const filter = (more) => ({ streams: "", users: "", types: "", tx: "", ...more });
  assert.ok([{}, { streams: "7" }, { users: BOB }, { users: ALICE, types: "stream.paused" }].every((each) => passes(event, filter(each))));
  assert.ok(![{ streams: "8" }, { users: `G${"C".repeat(55)}` }, { types: "stream.resumed" }].some((each) => passes(event, filter(each))));
  assert.ok(passes({ ...event, oldRecipient: "GX" }, filter({ users: "GX" })), "who gave it away");
});

test("the history is asked for what the filter shows", () => {
  const of = (filter, own = "") => Object.entries(historyOf({ streams: "", users: "", types: "", ...filter }, own)).filter(([, value]) => value);
  assert.deepEqual(of({}), [["all", "true"]]);
  assert.deepEqual(of({ streams: "7", users: ALICE }), [["streams", "7"]]);
  assert.deepEqual(of({ users: ALICE, types: "stream.paused" }), [["users", ALICE], ["types", "stream.paused"]]);
  assert.deepEqual(of({}, BOB), [["users", BOB]], "one's own, where not everything may be seen");
});

test("a search is an account, a stream, a transaction or a text", () => {
  assert.deepEqual([meaning(""), meaning(ALICE), meaning("7"), meaning("rent"), meaning("r"), meaning("AB".repeat(32))],
    [{}, { user: ALICE }, { stream: "7" }, { text: "rent" }, { wrong: true }, { transaction: "ab".repeat(32) }]);
  const filter = { search: BOB, status: "active", origin: "", acceptance: "" };
  assert.ok(belongs(stream(), filter));
  assert.ok(!belongs(stream({ status: "paused" }), filter));
  assert.ok(!belongs(stream({ recipient: ALICE }), filter));
  assert.ok(!belongs(stream(), { ...filter, origin: "chain" }));
  const pending = stream({ acceptance: "pending" });
  assert.ok(!belongs(pending, filter), "a stranger's stream is not in the recipient's list");
  assert.ok(!belongs(pending, { ...filter, search: "" }, BOB));
  assert.ok(belongs(pending, { ...filter, search: ALICE }), "but in that of its sender");
  assert.ok(belongs(pending, { ...filter, search: "" }));
  assert.ok(belongs(pending, { ...filter, acceptance: "pending" }));
  assert.ok(!belongs(pending, { ...filter, search: ALICE, acceptance: "pending" }));
});

test("the course of a stream: accrual bends where it begins, at a withdrawal, a pause and the end of the deposit", () => {
  const events = [
    { timestamp: 50, stream: stream() },
    { timestamp: 130, stream: stream({ withdrawnAmount: "300", lastUpdateTime: 130 }) },
    { timestamp: 150, stream: stream({ withdrawnAmount: "300", lastUpdateTime: 130, status: "paused", pausedAt: 150, endTime: null }) },
  ];
  const drawn = course(events, 400).map(({ time, withdrawn, accrued }) => [time, Number(withdrawn), Number(accrued)]);
  assert.deepEqual(drawn, [[50, 0, 0], [100, 0, 0], [130, 0, 300], [130, 300, 300], [150, 300, 500], [150, 300, 500], [400, 300, 500]]);
  const spent = course(events.slice(0, 1), 400).map(({ time, accrued }) => [time, Number(accrued)]);
  assert.deepEqual(spent, [[50, 0], [100, 0], [200, 1000], [400, 1000]]);
});

test("the course does not go back in time, if an event is told late", () => {
  const events = [{ timestamp: 300, stream: stream() }, { timestamp: 200, stream: stream({ ending: "depleted" }) }];
  assert.deepEqual(course(events, 310).map(({ time }) => time), [300, 300, 300, 310]);
});

test("what was refunded is no deposit any more, and a stream that is over has no outlook", () => {
  const over = stream({ status: "cancelled", withdrawnAmount: "300", refundedAmount: "700", lastUpdateTime: 130, endTime: 130 });
  const [last] = course([{ timestamp: 130, stream: over }], 150).slice(-1);
  assert.deepEqual([last.deposited, last.withdrawn, last.accrued], [300n, 300n, 300n]);
  assert.deepEqual(outlook(over, 150), []);
  assert.deepEqual(outlook(stream(), 150).map(({ time, accrued }) => [time, accrued]), [[150, 500n], [150, 500n], [200, 1000n]]);
});

test("rates are of counters that grow; a process that began anew gives none", () => {
  assert.equal(rate({ events: 10 }, { events: 30 }, "events", 4), 5);
  assert.equal(rate({ events: 30 }, { events: 2 }, "events", 4), 0);
  assert.equal(rate(undefined, { events: 30 }, "events", 0), 0);
});

test("a chart fills from the right, its highest value at the top", () => {
  assert.deepEqual(points([0, 5, 10], 5, 10), ["120.0,45.0", "180.0,24.0", "240.0,3.0"]);
});

test("numbers and spans read well", () => {
  assert.deepEqual([0, 59.9, 61, 3600, 90_061, 1e12].map(duration), ["0 s", "59 s", "1 min 1 s", "1 h", "1 d 1 h", "over 10 years"]);
  assert.deepEqual([0.0421, 0.9996, 2.13, 61].map(span), ["42 ms", "1.0 s", "2.1 s", "1 min 1 s"]);
  assert.equal(short(ALICE), "GAAA…AAAA");
});

test("when the money ends", () => {
  const at = (more, seconds) => ends(stream(more), seconds * 1000);
  assert.equal(at({}, 140), "runs out in 1 min");
  assert.equal(at({}, 201), "ran out");
  assert.equal(at({}, 40), "starts in 1 min");
  assert.equal(at({ status: "paused", pausedAt: 120, endTime: null }, 140), "paused");
});

test("streams are in the order of the API's lists: by creation, then by id", () => {
  const all = [["9", 100], ["10", 100], ["api-0", 100], ["2", 101], ["api-1", 99]].map(([id, createdAt]) => stream({ id, createdAt }));
  const sorted = all.sort((a, b) => (isNewer(a, b) ? -1 : 1)).map(({ id }) => id);
  assert.deepEqual(sorted, ["2", "api-0", "10", "9", "api-1"]);
});

test("an amount that is not certain is shown as not known, with the reason", () => {
  const lost = stream({ claimableUnknown: "state_not_certain" });
  assert.deepEqual([claimable(lost, 150_000), flows(lost, 150_000)], [null, false]);
  assert.match(whyUnknown(lost), /^not known: events of the chain were lost/);
  assert.equal(whyUnknown(stream({ claimableUnknown: "new_reason" })), "not known");
});

test("an event that is new here, or lacks a fact, still has words", () => {
  assert.deepEqual(nameOf("token.burned_down"), ["burned down", "quiet"]);
  assert.deepEqual(factsOf({ type: "token.burned_down" }), []);
  assert.deepEqual(factsOf({ type: "stream.withdrawn" }), []);
  assert.deepEqual(nameOf("webhook.disabled"), ["Webhook disabled", "over"]);
  assert.equal(factsOf({ type: "webhook.disabled", url: "https://a.example/", reason: "gone" }).join(""), "https://a.example/ answered 410 Gone");
});

test("an address names a view and what it shows", () => {
  const [parts, parameters] = parse("#/streams/api-1?types=a%2Cb");
  assert.deepEqual([parts, parameters.get("types")], [["streams", "api-1"], "a,b"]);
});

test("the server's time: ours, as far as its answers allow", () => {
  const off = () => Math.round((clock.now() - Date.now()) / 100) * 100;
  const here = Date.now();
  clock.observe(Math.floor(here / 1000), here - 5, here + 5);
  assert.equal(off(), 0);
  clock.observe(Math.floor(here / 1000) + 60, here, here + 10); // it was set forward by a minute
  assert.ok(off() > 58_000 && off() <= 60_000, `${off()}`);
});
