import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.matchMedia = () => ({ matches: false });
globalThis.localStorage = { getItem: () => null };

const js = "../../../services/api/console/js";
const { selection } = await import(`${js}/webhooks.js`);
const { contentWords, tookWords } = await import(`${js}/webhook.js`);
const { changesOf, filtersOf, kindOf, wordsIn } = await import(`${js}/webhook_form.js`);

const ACCOUNT = `G${"A".repeat(55)}`;

test("what a webhook gets is shown in words, with at most three topics", () => {
  const given = { all: false, streams: [], users: [ACCOUNT], types: [] };
  assert.equal(selection(given), "account GAAA…AAAA");
  assert.equal(selection({ ...given, all: true, types: ["stream.created", "token.mint"] }), "all events; only stream.created, token.mint");
  assert.equal(selection({ ...given, streams: ["7", "8", "9", "10"] }), "account GAAA…AAAA, stream 7, stream 8 and 2 more");
});

test("a text becomes the filters of a request", () => {
  assert.deepEqual(filtersOf("all", "7"), { all: true, users: [], streams: [] });
  assert.deepEqual(filtersOf("own", "7"), { all: false, users: [], streams: [] });
  assert.deepEqual(filtersOf("chosen", ` 7, ${ACCOUNT}  7 api-1,`), { all: false, users: [ACCOUNT], streams: ["7", "api-1"] });
  assert.deepEqual(wordsIn(""), []);
});

test("a webhook of its account alone has the filter that a new webhook of this account gets", () => {
  const own = { account: ACCOUNT, all: false, users: [ACCOUNT], streams: [] };
  assert.equal(kindOf(own), "own");
  const others = [{ ...own, streams: ["7"] }, { ...own, users: [`GB${ACCOUNT.slice(2)}`] }, { ...own, users: [] }, { ...own, account: null }];
  assert.deepEqual(others.map(kindOf), ["chosen", "chosen", "chosen", "chosen"]);
  assert.equal(kindOf({ ...own, all: true }), "all");
});

test("a change has only the fields that differ, and the filters together", () => {
  const before = { url: "https://a.example/", all: false, users: [ACCOUNT], streams: [], types: ["token.mint"], batch: 1 };
  assert.deepEqual(changesOf(before, { ...before }), {});
  assert.deepEqual(changesOf(before, { ...before, types: [], batch: 20 }), { types: [], batch: 20 });
  assert.deepEqual(changesOf(before, { ...before, streams: ["7"] }), { all: false, users: [ACCOUNT], streams: ["7"] });
});

test("a delivery says what it had, and how long it took", () => {
  const words = (kind, events, messageId = "5-1") => contentWords({ kind, events, messageId });
  assert.deepEqual([words("event", 1), words("event", 20), words("test", 0)], ["1 event", "20 events", "test"]);
  assert.deepEqual([words("redelivery", 1), words("event", 0, "gap-5-1-6-1")], ["1 event, again", "gap"]);
  assert.deepEqual([0.0123, 0.9996, 1.25, 15].map(tookWords), ["12 ms", "1000 ms", "1.3 s", "15.0 s"]);
});
