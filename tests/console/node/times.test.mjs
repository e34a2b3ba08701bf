import assert from "node:assert/strict";
import { test } from "node:test";

process.env.TZ = "Asia/Tokyo";
const kept = new Map();
globalThis.localStorage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) };

const times = await import("../../../services/api/console/js/times.js");
const NOON = 1_790_000_000; // 2026-09-21 14:13:20 UTC

test("times are in the zone of the browser until the reader chooses UTC", () => {
  assert.match(times.dateTime(NOON), /23:13:20/);
  assert.deepEqual([times.zoneName(), times.zoneOffset(NOON)], ["Asia/Tokyo", 32_400]);
  times.chooseUtc(true);
  assert.match(times.dateTime(NOON), /14:13:20.*UTC$/);
  assert.deepEqual([times.zoneName(), times.zoneOffset(NOON), kept.get("headrace zone")], ["UTC", 0, "utc"]);
  times.chooseUtc(false);
  assert.equal(kept.size, 0);
});

test("a field for a date has the value and the zone that are shown", () => {
  for (const utc of [true, false]) {
    times.chooseUtc(utc);
    assert.equal(times.fieldValue(NOON), utc ? "2026-09-21T14:13:20" : "2026-09-21T23:13:20");
    assert.equal(times.fieldSeconds(times.fieldValue(NOON)), NOON);
  }
  assert.equal(times.fieldSeconds(""), null);
});

test("midnight is 00, and a time beyond the calendar has words", () => {
  times.chooseUtc(true);
  assert.match(times.clockTime(86_400), /^00:00:00$/);
  assert.equal(times.dateTime(1e13), "beyond any date");
  assert.equal(times.iso(1e13), null);
});
