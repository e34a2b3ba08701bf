import assert from "node:assert/strict";
import { test } from "node:test";

import { stream } from "./samples.mjs";

globalThis.matchMedia = () => ({ matches: false });
globalThis.localStorage = { getItem: () => null };

const js = "../../../services/api/console/js";
const { amountTicks, course, outlook, scale, timeTicks, valueAt } = await import(`${js}/course.js`);

/** A generator of numbers that is the same in each run. */
function random(seed) {
  let state = seed;
  return (most) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state % most;
  };
}

test("a chart of any events, in any order and with any times, stays in its frame", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const next = random(seed);
    const time = () => [1, 100, 1_700_000_000, 1_790_000_000, 4_000_000_000, 253_402_300_799][next(6)] + next(1000);
    const some = () => stream({
      depositedAmount: ["1000", "0", "170141183460469231731687303715884105727"][next(3)], withdrawnAmount: ["0", "1000"][next(2)], refundedAmount: ["0", "500"][next(2)],
      ratePerSecond: ["0", "10", "170141183460469231731687303715884105727"][next(3)], startTime: time(), lastUpdateTime: time(),
      endTime: next(3) ? time() : null, pausedAt: next(4) ? null : time(), status: ["active", "paused", "completed"][next(3)], claimableUnknown: next(5) ? null : "state_not_certain",
    });
    const events = Array.from({ length: 1 + next(6) }, () => ({ timestamp: time(), stream: some() }));
    const latest = events.at(-1).stream;
    const seconds = time();
    const past = course(events, seconds);
    const ahead = outlook(latest, Math.max(seconds, past.at(-1).time));
    const { first, last, x, y } = scale([...past, ...ahead]);
    assert.ok(last > first && Number.isFinite(first) && Number.isFinite(last), `seed ${seed}`);
    const across = [...past, ...ahead].map(({ time: at }) => x(at));
    assert.ok(across.every((each, n) => each >= 0 && each <= 1 && (n === 0 || each >= across[n - 1])), `seed ${seed}: ${across}`);
    for (const point of [...past, ...ahead]) for (const name of ["deposited", "accrued", "withdrawn"]) assert.ok(y(point[name]) >= 0 && y(point[name]) <= 1, `seed ${seed}`);
    assert.equal(typeof valueAt(events, latest, first).deposited, "bigint");
  }
});

test("a stream that began in 1970 and ran out before it was made is drawn from its creation on", () => {
  const made = 1_790_000_000;
  const old = stream({ startTime: 1, lastUpdateTime: 1, endTime: 101, createdAt: made });
  const events = [{ timestamp: made, stream: old }, { timestamp: 101, stream: { ...old, version: 2, ending: "depleted" } }];
  const past = course(events, made + 60);
  assert.deepEqual([scale(past).first, scale(past).last], [made, made + 60]);
  assert.equal(valueAt(events, events[1].stream, made + 30).accrued, 1000n);
});

test("ticks are round amounts and round times between the ends", () => {
  assert.deepEqual(amountTicks(9_950_000_000n), [2_000_000_000n, 4_000_000_000n, 6_000_000_000n, 8_000_000_000n]);
  assert.deepEqual([amountTicks(1n), amountTicks(7n)], [[], [2n, 4n, 6n]]);
  const day = 86_400;
  assert.deepEqual(timeTicks(10, 3 * day), [1, 2].map((n) => n * day));
  assert.deepEqual(timeTicks(10, 3 * day, 4, 3600), [1, 2].map((n) => n * day - 3600).concat(3 * day - 3600), "midnight in the zone");
  assert.ok(timeTicks(1, 253_402_300_799).length <= 5);
});
