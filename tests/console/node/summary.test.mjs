import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.matchMedia = () => ({ matches: false });
globalThis.localStorage = { getItem: () => null };

const { addPages, readSummary, sizeOf } = await import("../../../services/api/console/js/summary.js");

const MOST = "170141183460469231731687303715884105727";
const counts = (active) => ({ sent: { active, paused: 0 }, received: { active: 1, paused: 2 } });
const token = (tokenAddress, amount, claimableUnknown = 0) => ({
  tokenAddress,
  sent: { deposited: amount, withdrawn: "1", refunded: "0", remaining: "0" },
  received: { withdrawn: "2", claimable: amount, remaining: "0", claimableUnknown },
});
const page = (streams, tokens, next = null) => ({
  account: "G", chain: { streams, counts: counts(streams), tokens }, api: { streams: 0, counts: counts(0), tokens: [] },
  tokens: Object.fromEntries(tokens.map(({ tokenAddress }) => [tokenAddress, {}])), pending: 3, hidden: 1, next, position: `${streams}-0`,
});

test("pages of sums are added exactly, token by token", () => {
  const both = addPages(page(2, [token("CB", MOST, 1)], "x"), page(3, [token("CA", "5"), token("CB", "1", 2)]));
  assert.deepEqual(both.chain.tokens.map(({ tokenAddress }) => tokenAddress), ["CA", "CB"]);
  const [a, b] = both.chain.tokens;
  assert.equal(a.sent.deposited, "5");
  assert.deepEqual([b.sent.deposited, b.received.claimable, b.received.claimableUnknown], ["170141183460469231731687303715884105728", "170141183460469231731687303715884105728", 3]);
  assert.deepEqual([b.sent.withdrawn, b.received.withdrawn], ["2", "4"]);
  assert.deepEqual(both.chain.counts, { sent: { active: 5, paused: 0 }, received: { active: 2, paused: 4 } });
  assert.deepEqual([sizeOf(both), both.pending, both.hidden, Object.keys(both.tokens), both.next], [5, 3, 1, ["CB", "CA"], null]);
});

test("all pages are read, and a reader who leaves stops it", async () => {
  const asked = [];
  const pages = { "": page(2, [], "x"), x: page(3, [], "y"), y: page(4, []) };
  globalThis.fetch = async (path) => {
    asked.push(path);
    return new Response(JSON.stringify(pages[new URL(path, "http://h").searchParams.get("cursor") ?? ""]));
  };
  const parts = [];
  const { summary, pages: read } = await readSummary("G", (part) => { parts.push(sizeOf(part)); });
  assert.deepEqual([sizeOf(summary), read, parts, asked.length], [9, 3, [2, 5], 3]);
  assert.equal(await readSummary("G", () => false), null);
  assert.equal(asked.length, 4);
});
