/** A chart of a stream: deposited, withdrawn and claimable over time. */

import { amount as money, amountText } from "./amounts.js";
import { h, say, svg } from "./dom.js";
import { dateTime } from "./format.js";
import { claimable, isOver, jumps } from "./money.js";

const WIDTH = 720;
const HEIGHT = 220;

/**
 * Amounts of a stream at one Unix second. The deposit excludes the refunded amount. If the claimable
 * amount is not known, the accrued amount is drawn without it.
 */
function at(stream, second) {
  const withdrawn = BigInt(stream.withdrawnAmount);
  return {
    time: second,
    deposited: BigInt(stream.depositedAmount) - BigInt(stream.refundedAmount),
    withdrawn,
    accrued: withdrawn + (claimable(stream, second * 1000) ?? 0n),
  };
}

/**
 * The points of the chart up to `until` (Unix seconds), from the events of the stream, oldest first.
 * Between two events the accrued amount is a straight line, which bends where accrual starts, and where
 * it stops (pause, or end of the deposit). At a jump of the schedule there are two points. Pure.
 */
export function course(events, until) {
  let latest = -Infinity; // timestamps can go back: a stream with an old start can run out before it is created
  const states = events.filter((event) => event.stream).map(({ timestamp, stream }) => {
    latest = Math.max(latest, timestamp);
    return { timestamp: latest, stream };
  });
  return states.flatMap(({ timestamp, stream }, n) => {
    const end = Math.max(timestamp, states[n + 1]?.timestamp ?? until);
    const bends = isOver(stream) ? [] : [stream.lastUpdateTime, stream.pausedAt ?? stream.endTime, ...edges(stream)];
    const inner = bends.filter((time) => time !== null && time > timestamp && time < end).sort((a, b) => a - b);
    return [timestamp, ...inner, end].map((second) => at(stream, second));
  });
}

/** The second before each jump, and the jump. */
const edges = (stream) => jumps(stream).flatMap((time) => [time - 1, time]);

/** The forecast: points until the stream ends, if nobody changes the stream. Pure. */
export function outlook(stream, from) {
  const known = stream.status === "active" && stream.endTime !== null && !stream.claimableUnknown;
  if (!known || stream.endTime <= from) return [];
  const begin = Math.max(from, stream.lastUpdateTime);
  const inner = edges(stream).filter((time) => time > begin && time < stream.endTime);
  return [from, begin, ...inner, stream.endTime].map((second) => at(stream, second));
}

const LINES = [["deposited", "Deposit"], ["accrued", "Claimable"], ["withdrawn", "Withdrawn"]];

/** The chart: its node, and draw(events, stream, seconds), which draws it for a Unix second. */
export function picture() {
  const shapes = {
    accrued: svg("path", { class: "area accrued" }),
    withdrawn: svg("path", { class: "area withdrawn" }),
    outlook: svg("path", { class: "outlook" }),
    deposited: svg("path", { class: "deposited" }),
    now: svg("path", { class: "now" }),
  };
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" }, ...Object.values(shapes));
  const [top, from, to] = [h("span"), h("span"), h("span")];
  const legend = LINES.map(([name, words]) => h("li", { "data-line": name }, words));
  const node = h("figure", { class: "picture" },
    h("div", { class: "frame" }, h("span", { class: "highest" }, top), drawing),
    h("div", { class: "axis" }, from, to),
    h("ul", { class: "legend" }, ...legend, h("li", { "data-line": "outlook" }, "Forecast")));

  function draw(events, stream, seconds) {
    const until = isOver(stream) ? Math.min(seconds, stream.updatedAt + 1) : seconds;
    const past = course(events.length ? events : [{ timestamp: stream.createdAt, stream }], until);
    if (!past.length) return;
    const ahead = outlook(stream, seconds);
    const all = [...past, ...ahead];
    const [first, last] = [all[0].time, Math.max(all.at(-1).time, all[0].time + 1)];
    const highest = all.reduce((most, { deposited }) => (deposited > most ? deposited : most), 1n);
    const x = (time) => (((time - first) / (last - first)) * WIDTH).toFixed(1);
    const y = (value) => (HEIGHT - (Number((value * 10_000n) / highest) / 10_000) * (HEIGHT - 4)).toFixed(1);
    const line = (points, name) => points.map((point) => `${x(point.time)} ${y(point[name])}`).join("L");
    const area = (name) => `M${x(first)} ${HEIGHT}L${line(past, name)}L${x(past.at(-1).time)} ${HEIGHT}Z`;
    shapes.accrued.setAttribute("d", area("accrued"));
    shapes.withdrawn.setAttribute("d", area("withdrawn"));
    shapes.deposited.setAttribute("d", `M${line(all, "deposited")}`);
    shapes.outlook.setAttribute("d", ahead.length ? `M${line(ahead, "accrued")}` : "");
    shapes.now.setAttribute("d", ahead.length ? `M${x(seconds)} 0V${HEIGHT}` : "");
    if (top.dataset.highest !== String(highest)) {
      top.dataset.highest = highest;
      top.replaceChildren(money(highest, stream.tokenAddress, { brief: true }));
    }
    say(from, dateTime(first));
    say(to, ahead.length ? `runs out on ${dateTime(last)}` : dateTime(last));
    const here = past.at(-1);
    const amount = (value) => amountText(value, stream.tokenAddress);
    const due = stream.claimableUnknown ? "an unknown amount is" : `${amount(here.accrued - here.withdrawn)} are`;
    drawing.setAttribute("aria-label",
      `Of ${amount(here.deposited)} deposited, ${amount(here.withdrawn)} were withdrawn and ${due} claimable.`);
  }
  return { node, draw };
}
