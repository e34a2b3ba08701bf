import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { followTransaction, prepareTransaction, submitTransaction, transaction } from "../../../../../clients/js/src/transactions.js";
import { settle } from "./world.mjs";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
afterEach(() => mock.timers.reset());

/** A server that gives these answers: a document, [status, problem, Retry-After], or an Error. */
function server(...answers) {
  const asked = [];
  const fetch = async (address, { method = "GET", body, headers } = {}) => {
    asked.push([method, address, body && JSON.parse(body), headers.Authorization ?? headers["Content-Type"]]);
    const next = answers.shift();
    if (next instanceof Error) throw next;
    const [status, document, after] = Array.isArray(next) ? next : [200, next];
    return { ok: status < 400, status, json: async () => document, headers: new Map(after ? [["Retry-After", after]] : []) };
  };
  return { asked, connection: { url: "https://h.example/", fetch } };
}

/** Let time pass until a promise is settled. Returns the milliseconds of each wait. */
async function waited(promise) {
  let isOver = false;
  promise.catch(() => {}).finally(() => { isOver = true; });
  let passed = 0;
  for (await settle(); !isOver; await settle()) {
    mock.timers.tick(250);
    passed += 250;
    assert.ok(passed < 60_000, "it waits too long");
  }
  return passed;
}

const state = (status, more = {}) => ({ hash: "ab", status, ledger: null, ...more });

test("each call goes to its path", async () => {
  const { connection, asked } = server({ xdr: "AAAA" }, state("pending"), state("succeeded"));
  const request = { action: "pause", source: "GA", streamId: "7" };
  assert.deepEqual(await prepareTransaction(connection, request), { xdr: "AAAA" });
  assert.equal((await submitTransaction(connection, "BBBB")).status, "pending");
  assert.equal((await transaction(connection, "a/b")).status, "succeeded");
  const [path, json] = ["https://h.example/v1/transactions", "application/json"];
  assert.deepEqual(asked, [
    ["POST", path, request, json], ["POST", `${path}/submit`, { xdr: "BBBB" }, json], ["GET", `${path}/a%2Fb`, undefined, undefined],
  ]);
});

test("a refusal has the sentences of the API, and says when to try again", async () => {
  const problem = { detail: "The contract refuses.", errors: [{ pointer: "/amount", detail: "must be greater than 0." }] };
  const { connection } = server([422, problem], [503, {}, "5"]);
  await assert.rejects(prepareTransaction(connection, {}), {
    message: "The contract refuses. /amount: must be greater than 0.", status: 422, problem, retryAfter: null,
  });
  await assert.rejects(submitTransaction(connection, ""), { message: "the API answered with status 503", retryAfter: 5 });
});

test("it is followed until it is settled, more slowly each time", async () => {
  const { connection, asked } = server(...Array(5).fill(state("pending")), state("succeeded", { ledger: 9 }));
  const seen = [];
  const followed = followTransaction(connection, "ab", { changed: ({ status }) => seen.push(status) });
  assert.equal(await waited(followed), 1000 + 1500 + 2250 + 3500 + 5000, "rounded up to quarters of a second");
  assert.equal((await followed).ledger, 9);
  assert.deepEqual([seen.length, seen.at(-1), asked.length], [6, "succeeded", 6]);
});

for (const status of ["failed", "expired"]) {
  test(`${status} is settled`, async () => {
    const { connection } = server(state(status));
    assert.equal((await followTransaction(connection, "ab")).status, status);
  });
}

test("a server that does not answer is asked again, when it wants to be", async () => {
  const { connection } = server(new TypeError("fetch failed"), [503, {}, "7"], [429, {}], state("failed"));
  const followed = followTransaction(connection, "ab");
  assert.equal(await waited(followed), 1000 + 7000 + 2250);
  assert.equal((await followed).status, "failed");
});

test("a refusal, a wrong address and an abort end it", async () => {
  await assert.rejects(followTransaction(server([404, { detail: "not known" }]).connection, "ab"), { message: "not known" });
  await assert.rejects(followTransaction({}, "ab"), /must be absolute/);
  const stop = new AbortController();
  const { connection, asked } = server(state("pending"), state("pending"));
  const followed = followTransaction(connection, "ab", { signal: stop.signal });
  await settle();
  stop.abort(new Error("the reader left"));
  await assert.rejects(followed, /the reader left/);
  assert.equal(asked.length, 1);
});
