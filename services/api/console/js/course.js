/** The amounts of a stream over time, and the scales of its chart. Pure. */

import { claimable, isOver, jumps } from "./money.js";

/**
 * Amounts of a stream at one Unix second. The deposit excludes the refunded amount. If the claimable
 * amount is not known, the accrued amount is drawn without it.
 */
export function at(stream, second) {
  const withdrawn = BigInt(stream.withdrawnAmount);
  return {
    time: second,
    deposited: BigInt(stream.depositedAmount) - BigInt(stream.refundedAmount),
    withdrawn,
    accrued: withdrawn + (claimable(stream, second * 1000) ?? 0n),
  };
}

/**
 * The states of a stream in the order of its events: {timestamp, stream}. The times never go back, because
 * a notice can have an earlier time than the event before it: a stream with an old start has run out
 * before it was created.
 */
export function statesOf(events) {
  let latest = -Infinity;
  return events.filter((event) => event.stream).map(({ timestamp, stream }) => {
    latest = Math.max(latest, timestamp);
    return { timestamp: latest, stream };
  });
}

/**
 * The points of the chart up to `until` (Unix seconds), from the events of the stream, oldest first.
 * Between two events the accrued amount is a straight line, which bends where accrual starts, and where
 * it stops (pause, or end of the deposit). At a jump of the schedule there are two points.
 */
export function course(events, until) {
  const states = statesOf(events);
  return states.flatMap(({ timestamp, stream }, n) => {
    const end = Math.max(timestamp, states[n + 1]?.timestamp ?? until);
    const bends = isOver(stream) ? [] : [stream.lastUpdateTime, stream.pausedAt ?? stream.endTime, ...edges(stream)];
    const inner = bends.filter((time) => time !== null && time > timestamp && time < end).sort((a, b) => a - b);
    return [timestamp, ...inner, end].map((second) => at(stream, second));
  });
}

/** The second before each jump, and the jump. */
const edges = (stream) => jumps(stream).flatMap((time) => [time - 1, time]);

/** The forecast: points until the stream ends, if nobody changes the stream. */
export function outlook(stream, from) {
  const known = stream.status === "active" && stream.endTime !== null && !stream.claimableUnknown;
  if (!known || stream.endTime <= from) return [];
  const begin = Math.min(Math.max(from, stream.lastUpdateTime), stream.endTime);
  const inner = edges(stream).filter((time) => time > begin && time < stream.endTime);
  return [from, begin, ...inner, stream.endTime].map((second) => at(stream, second));
}

/** The amounts at a second of the chart: those of the last state before it, or of the forecast. */
export function valueAt(events, stream, second) {
  const states = statesOf(events);
  const last = states.findLast(({ timestamp }) => timestamp <= second) ?? states[0];
  const isLatest = last === undefined || last === states.at(-1);
  return at(isLatest ? stream : last.stream, second);
}

/** The scale of a chart: functions from a time and an amount to 0 … 1, whatever the points are. */
export function scale(points) {
  const times = points.map(({ time }) => time);
  const first = times.reduce((least, time) => Math.min(least, time), Infinity);
  const last = Math.max(first + 1, times.reduce((most, time) => Math.max(most, time), -Infinity));
  const highest = points.reduce((most, { deposited, accrued }) => [deposited, accrued].reduce((a, b) => (b > a ? b : a), most), 1n);
  const within = (part) => Math.min(1, Math.max(0, part));
  return {
    first, last, highest,
    x: (time) => within((time - first) / (last - first)),
    y: (value) => within(Number((value * 10_000n) / highest) / 10_000),
  };
}

/** Round amounts for the ticks of a scale up to `highest`: at most `most` of them, above 0, without the top. */
export function amountTicks(highest, most = 4) {
  const least = highest / BigInt(most + 1) + 1n;
  const ten = 10n ** BigInt(String(least).length - 1);
  const step = [1n, 2n, 5n, 10n].map((each) => each * ten).find((each) => each >= least);
  return Array.from({ length: most }, (_, n) => step * BigInt(n + 1)).filter((each) => each * 20n < highest * 19n);
}

const SECONDS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000, 7_776_000, 31_536_000];

/** Round times for the ticks of a scale: at most `most` of them. `offset`: seconds of the zone from UTC. */
export function timeTicks(first, last, most = 4, offset = 0) {
  const least = (last - first) / (most + 1);
  const largest = SECONDS.at(-1);
  const step = SECONDS.find((each) => each >= least) ?? Math.ceil(least / largest) * largest;
  const begin = Math.ceil((first + offset + 1) / step) * step - offset;
  return Array.from({ length: most + 1 }, (_, n) => begin + n * step).filter((time) => time < last);
}
