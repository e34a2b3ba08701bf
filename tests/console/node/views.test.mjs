import assert from "node:assert/strict";
import { test } from "node:test";

import { ALICE, BOB, stream } from "./samples.mjs";

globalThis.matchMedia = () => ({ matches: false });
globalThis.localStorage = { getItem: () => null };

const js = "../../../services/api/console/js";
const { belongs, hasText, needsScan, order } = await import(`${js}/search.js`);
const { isFeeOf } = await import(`${js}/event_list.js`);
const { justBefore, proofOf, wordsOf } = await import(`${js}/event.js`);
const { changed } = await import(`${js}/stream_change.js`);
const { exportQuery, sizeText } = await import(`${js}/download.js`);
const { endOf, tagsOf } = await import(`${js}/create.js`);
const { asOf } = await import(`${js}/status.js`);

test("a text is looked for in labels, tags, names and symbols, and at the start of addresses", () => {
  const one = stream({ tokenAddress: `C${"D".repeat(55)}`, metadata: { label: "Rent, May", tags: ["home"] } });
  const names = { nameFor: (address) => (address === BOB ? "Landlord" : ""), symbolOf: () => "USDC" };
  for (const text of ["rent", "HOME", "landl", "usd", "gbbb", "CDDD", "7"]) assert.ok(hasText(one, text, names), text);
  for (const text of ["bbb", "salary", "ddd"]) assert.ok(!hasText(one, text, names), text);
  assert.ok(!hasText(stream({ tokenAddress: "C", metadata: undefined }), "rent"));
});

test("the filter of the deposit, and what the API cannot find by itself", () => {
  const filter = (more) => ({ search: "", status: "", origin: "", acceptance: "", token: "", state: "", sort: "", ...more });
  const low = stream({ ending: "24h" });
  const spent = stream({ ending: "depleted" });
  assert.deepEqual([low, spent, stream()].map((each) => belongs(each, filter({ state: "low" }))), [true, false, false]);
  assert.deepEqual([low, spent, stream()].map((each) => belongs(each, filter({ state: "depleted" }))), [false, true, false]);
  assert.ok(!belongs(stream({ ending: "depleted", status: "cancelled" }), filter({ state: "depleted" })));
  assert.ok(!belongs(low, filter({ state: "toString" })), "a state that somebody typed into the address");
  assert.ok(!belongs(stream({ tokenAddress: "CX" }), filter({ token: "CY" })));
  assert.deepEqual([{}, { search: ALICE }, { search: "rent" }, { sort: "end" }, { state: "low" }].map((each) => needsScan(filter(each))), [false, false, true, true, true]);
});

test("orders: the largest deposit as people read it, the earliest end of a stream that runs", () => {
  const tokenOf = (address) => ({ decimals: address === "C7" ? 7 : 2 });
  const all = [
    stream({ id: "1", tokenAddress: "C7", depositedAmount: "20000000", endTime: 300 }), // 2
    stream({ id: "2", tokenAddress: "C2", depositedAmount: "300", endTime: 200 }), // 3
    stream({ id: "3", tokenAddress: "C7", depositedAmount: "10000000", endTime: null }), // 1
    stream({ id: "4", tokenAddress: "C2", depositedAmount: "50", endTime: 100, status: "cancelled" }), // 0.5
  ];
  const ids = (sort) => [...all].sort((a, b) => (order(sort, tokenOf)(a, b) ? -1 : 1)).map(({ id }) => id);
  assert.deepEqual([ids("amount"), ids("end"), ids("")], [["2", "1", "3", "4"], ["2", "1", "4", "3"], ["4", "3", "2", "1"]]);
});

test("a fee belongs to the next event of its transaction and its stream", () => {
  const fee = { type: "stream.fee_collected", streamId: "7", txHash: "a" };
  const of = (more) => isFeeOf(fee, { type: "stream.created", streamId: "7", txHash: "a", ...more });
  assert.deepEqual([of({}), of({ type: "stream.topped_up" }), of({ type: "stream.paused" }), of({ streamId: "8" }), of({ txHash: "b" })], [true, true, false, false, false]);
  assert.ok(!isFeeOf({ ...fee, txHash: undefined }, { type: "stream.created", streamId: "7" }));
});

test("an event is found after the position just before it", () => {
  assert.deepEqual(["5-3", "5-0", "0-0", "18446744073709551615-18446744073709551615"].map(justBefore),
    ["5-2", "4-18446744073709551615", "0-0", "18446744073709551615-18446744073709551614"]);
});

test("what is proved about an event is said as docs/chain.md says it", () => {
  assert.match(proofOf({ origin: "chain", verified: true }), /^Proved\. .* Headrace does not check their signatures\.$/);
  assert.match(proofOf({ origin: "chain", verified: null }), /^Not proved\. .*no hash to compare with/);
  assert.match(proofOf({ origin: "chain", verified: false }), /^The proof has failed\./);
  assert.match(proofOf({ origin: "api", type: "stream.paused" }), /made through the API/);
  assert.match(proofOf({ origin: "api", type: "stream.depleted" }), /Headrace computed it/);
  assert.match(proofOf({ origin: "api", type: "webhook.disabled" }), /stopped to deliver/);
  assert.deepEqual(["oldRecipient", "feeAmount"].map(wordsOf), ["Old recipient", "Fee amount"]);
});

test("the fields that an event has changed", () => {
  assert.deepEqual(changed(stream(), stream({ version: 2, withdrawnAmount: "5" })), ["withdrawnAmount", "version"]);
  assert.deepEqual(changed(stream(), stream()), []);
});

test("an export is asked for without what is not limited", () => {
  const asked = { streams: "", users: ALICE, types: "stream.paused" };
  assert.equal(exportQuery(asked, "ndjson", 0, null), `users=${ALICE}&types=stream.paused&format=ndjson&from=0`);
  assert.deepEqual([0, 999, 12_345, 12_345_678].map(sizeText), ["0 bytes", "999 bytes", "12 kB", "12.3 MB"]);
});

test("the end of a stream is computed as the API computes it", () => {
  assert.deepEqual([endOf(100, 1000n, 10n), endOf(100, 1001n, 10n), endOf(1, 2n ** 127n - 1n, 1n)], [200n, 201n, 2n ** 127n]);
  assert.deepEqual(tagsOf(" home, rent ,,home"), ["home", "rent"]);
});

test("the age of the data names the ledger", () => {
  assert.equal(asOf({ ledger: 12, closedAt: 1000, heardAt: 5000 }, 43_000), "as of ledger 12, 42 s ago");
  assert.equal(asOf({ ledger: null, closedAt: null, heardAt: 5000 }, 43_000), "as of 38 s ago");
  assert.equal(asOf({ ledger: null, closedAt: null, heardAt: null }, 43_000), "");
});
