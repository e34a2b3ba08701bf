import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.matchMedia = () => ({ matches: false });
globalThis.localStorage = { getItem: () => null };

const { archiving, dispatching, reported, title } = await import("../../../services/api/console/js/system.js");

const COMMIT = "7e712815319140618b9be8cf0846701a6f9a2cbe";

test("a server's version is shown with short commits, and what it does not report is left out", () => {
  const rpc = { version: `27.1.1-${COMMIT}`, core: `stellar-core 27.1.0 (${COMMIT})`, protocol: 27 };
  assert.equal(reported(rpc), "27.1.1-7e71281, core 27.1.0 (7e71281), protocol 27");
  assert.equal(reported({ version: "22.1.3", core: "", protocol: 0 }), "22.1.3");
  assert.equal(reported({ version: "", core: "", protocol: 23 }), "version not reported, protocol 23");
  assert.equal(reported(undefined), "not read");
});

test("the heading names the address of a replica, unless the URL has it", () => {
  assert.equal(title({ kind: "fanout", url: "fanout:8080", address: "10.0.0.3" }), "fanout fanout:8080 10.0.0.3");
  assert.equal(title({ kind: "fanout", url: "127.0.0.1:80", address: "127.0.0.1" }), "fanout 127.0.0.1:80");
  assert.equal(title({ kind: "other", url: "fanout:8080", address: null }), "fanout:8080");
});

test("an active archiver says what is archived and since when, and a standby only that it is one", () => {
  const measures = { active: 1, ledger: 512, writtenAt: 1000, segments: 1, bytes: 2_500_000, storeErrors: 3, lagSeconds: 2 };
  assert.deepEqual(archiving(measures, 1008), {
    ledger: "512", written: "8 s ago", size: "1 segment, 2.5 MB", errors: "3", active: "active",
  });
  const standby = { ledger: "–", written: "–", size: "–", errors: "3", active: "standby" };
  assert.deepEqual(archiving({ ...measures, active: 0 }, 1008), standby);
  const empty = { ...measures, ledger: 0, writtenAt: 0, segments: 0, bytes: 0, storeErrors: 0 };
  assert.deepEqual(archiving(empty, 1008), { ...standby, errors: "0", active: "active" });
});

test("a dispatcher says how many webhooks it has, and what is wrong with some of them", () => {
  const measures = { endpoints: 12, failing: 0, disabled: 0, inFlight: 1, partitions: 32 };
  assert.deepEqual(dispatching(measures), { endpoints: "12", inFlight: "1", partitions: "32 of 64" });
  assert.equal(dispatching({ ...measures, failing: 2, disabled: 1 }).endpoints, "12, 2 failing, 1 disabled");
});
