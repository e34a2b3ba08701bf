import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.matchMedia = () => ({ matches: false });
globalThis.localStorage = { getItem: () => null };

const { delay, fanoutWords, subscription, topicOf, topicWords } =
  await import("../../../services/api/console/js/connections.js");

const ACCOUNT = `G${"A".repeat(55)}`;

test("a subscription is shown in words, with at most three topics", () => {
  const given = { replaying: false, topics: ["7"], topicCount: 1, types: null };
  assert.equal(subscription(given), "stream 7");
  assert.equal(subscription({ ...given, types: ["stream.created", "token.mint"] }), "stream 7; only stream.created, token.mint");
  assert.equal(subscription({ ...given, topics: ["*", "7", `user:${ACCOUNT}`, "8"], topicCount: 40 }), "all events, stream 7, account GAAA…AAAA and 37 more");
  assert.match(subscription({ ...given, replaying: true, topics: null, topicCount: null }), /not known yet/);
  assert.equal(topicWords("api-0193"), "stream api-0193");
});

test("a delay has the time and the bytes of the backlog", () => {
  assert.equal(delay({ backlogBytes: 0, behindSince: null }, 100), "no");
  assert.equal(delay({ backlogBytes: 5000, behindSince: 35 }, 100), "1 min 5 s, 5000 B");
  assert.equal(delay({ backlogBytes: 5000, behindSince: null }, 100), "5000 B", "the time is not known");
});

test("an account in the search means its topic", () => {
  assert.equal(topicOf(ACCOUNT), `user:${ACCOUNT}`);
  for (const same of ["", "7", "*", "user:x"]) assert.equal(topicOf(same), same);
});

test("a fanout says how many connections it has, or why they are missing", () => {
  const given = { url: "fanout:8080", address: "10.0.0.3", trouble: null, connections: 1, lagSeconds: 2.1 };
  assert.equal(fanoutWords(given), "fanout:8080 10.0.0.3: 1 connection, 2 s behind the chain");
  assert.equal(fanoutWords({ ...given, url: "127.0.0.1:80", address: "127.0.0.1", connections: 1200, lagSeconds: null }), "127.0.0.1:80: 1,200 connections");
  assert.equal(fanoutWords({ ...given, trouble: "does not answer (X)", connections: null }), "fanout:8080 10.0.0.3 does not answer (X)");
});
