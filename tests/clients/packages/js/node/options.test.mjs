import assert from "node:assert/strict";
import { test } from "node:test";
import { Headrace } from "../../../../../clients/js/src/headrace.js";
import { complete } from "../../../../../clients/js/src/options.js";

const jwt = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.sig`;
const env = (more = {}) => ({ location: {}, ...more });

test("filters become the query of a subscription", () => {
  const query = (options) => complete({ env: env(), ...options }).query;
  assert.equal(query({}), "");
  assert.equal(query({ all: true }), "all=true");
  assert.equal(query({ users: "GA" }), "users=GA");
  assert.equal(query({ streams: [1, "2"], types: "stream.withdrawn" }), "streams=1%2C2&types=stream.withdrawn");
  assert.equal(query({ all: true, query: "streams=1" }), "streams=1");
});

test("the address is that of the API, or of its subscription", () => {
  for (const url of ["https://h.example/x", "https://h.example/x/", "https://h.example/x/v1/events/subscribe", new URL("https://h.example/x/events/subscribe")]) {
    const { api, history } = complete({ env: env(), url });
    assert.deepEqual([api, complete({ env: env(), url }).url, history],
      ["https://h.example/x", "https://h.example/x/v1/events/subscribe", "https://h.example/x/v1/events"]);
  }
  assert.equal(complete({ env: env() }).url, "/v1/events/subscribe", "the origin of the page");
});

test("outside of a page the address must be absolute", () => {
  assert.throws(() => new Headrace({ all: true, env: { fetch } }), /`url` must be absolute/);
});

test("a token is exchanged for a ticket, and never in a URL", async () => {
  const asked = [];
  const fetch = async (url, { method, headers }) => {
    asked.push([method ?? "GET", url, headers.Authorization]);
    return { ok: true, status: 201, json: async () => ({ ticket: "t1" }) };
  };
  const options = complete({ env: env({ fetch }), url: "https://h.example", token: async () => "secret" });
  assert.equal(await options.ticket(), "t1");
  await options.fetch("https://h.example/v1/events");
  assert.deepEqual(asked, [
    ["POST", "https://h.example/v1/events/ticket", "Bearer secret"],
    ["GET", "https://h.example/v1/events", "Bearer secret"],
  ]);
});

test("a refused ticket has the status of the answer", async () => {
  const fetch = async () => ({ ok: false, status: 401 });
  const { ticket } = complete({ env: env({ fetch }), token: "old" });
  await assert.rejects(ticket, { status: 401 });
});

test("tabs share a connection only if the account is known or nobody logs in", () => {
  const share = (options) => complete({ env: env(), ...options }).share;
  assert.equal(share({}), true);
  assert.equal(share({ ticket: async () => "" }), false);
  assert.equal(share({ token: () => "opaque" }), false);
  assert.equal(share({ token: "opaque" }), false);
  assert.equal(share({ token: jwt({ sub: "GA" }) }), true);
  assert.equal(share({ token: () => "opaque", user: "GA" }), true);
  assert.equal(share({ share: false }), false);
  assert.equal(complete({ env: env(), token: jwt({ sub: "GA" }) }).user, "GA");
});
