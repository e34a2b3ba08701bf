/** A chart of a stream: deposited, withdrawn and claimable over time, with scales and values. */

import { amount as money, amountText, numberOf } from "./amounts.js";
import { amountTicks, course, outlook, scale, timeTicks, valueAt } from "./course.js";
import { h, say, svg } from "./dom.js";
import { isOver } from "./money.js";
import { clockTime, dateTime, dayOf, zoneOffset } from "./times.js";

const WIDTH = 720;
const HEIGHT = 220;
const STEPS = 400; // positions of the slider
const LONG = 14; // characters of an amount beside the chart; longer ones are written as 1E24
const DAY = 86_400;
const LINES = [["deposited", "Deposit"], ["accrued", "Claimable"], ["withdrawn", "Withdrawn"]];

const brief = new Intl.NumberFormat(undefined, { notation: "scientific", maximumFractionDigits: 1 });

/** The text of a tick. It is a round number, so the short form is exact enough to read a scale. */
function tickText(value, token) {
  const text = numberOf(value, token);
  return text.length <= LONG ? text : `${brief.format(value)} base units`;
}

const percent = (part) => `${(part * 100).toFixed(3)}%`;

/** Labels beside the chart, drawn again only if their texts change. `place` sets where one stands. */
function labels(className, place) {
  const node = h("div", { class: className, "aria-hidden": "true" });
  return {
    node,
    draw(ticks) {
      const key = ticks.map(([part, text]) => `${part} ${text}`).join();
      if (node.dataset.key === key) return;
      node.dataset.key = key;
      node.replaceChildren(...ticks.map(([part, text]) => {
        const label = h("span", {}, text);
        place(label.style, percent(part));
        return label;
      }));
    },
  };
}

/** The chart: its node, and draw(events, stream, seconds), which draws it for a Unix second. */
export function picture() {
  const shapes = {
    grid: svg("path", { class: "grid" }),
    accrued: svg("path", { class: "area accrued" }),
    withdrawn: svg("path", { class: "area withdrawn" }),
    outlook: svg("path", { class: "outlook" }),
    deposited: svg("path", { class: "deposited" }),
    now: svg("path", { class: "now" }),
    chosen: svg("path", { class: "chosen" }),
  };
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" }, ...Object.values(shapes));
  const [top, from, to] = [h("span"), h("span"), h("span")];
  const amounts = labels("ticks amounts", (style, part) => { style.bottom = part; });
  const times = labels("ticks times", (style, part) => { style.left = part; });
  const slider = h("input", { type: "range", min: 0, max: STEPS, value: STEPS, "aria-label": "Time in the chart", input: () => choose(Number(slider.value) / STEPS) });
  const values = h("output", { class: "values", "aria-live": "off" });
  const frame = h("div", { class: "frame", pointermove: point, pointerleave: leave }, h("span", { class: "highest" }, top), h("div", { class: "plot" }, drawing, amounts.node), times.node);
  const legend = LINES.map(([name, words]) => h("li", { "data-line": name }, words));
  const node = h("figure", { class: "picture" }, frame,
    h("div", { class: "axis" }, from, to),
    slider, h("p", {}, values),
    h("ul", { class: "legend" }, ...legend, h("li", { "data-line": "outlook" }, "Forecast")));
  let shown = null; // {events, stream, seconds, found}: what was drawn last
  let chosen = null; // the part of the width at which values are shown; null for now
  let pointed = null; // the part of the width under the pointer, which counts first

  function draw(events, stream, seconds) {
    const known = events.some((event) => event.stream) ? events : [{ timestamp: stream.createdAt, stream }];
    const until = isOver(stream) ? Math.min(seconds, stream.updatedAt + 1) : seconds;
    const past = course(known, until);
    const ahead = outlook(stream, Math.max(seconds, past.at(-1).time));
    const found = scale([...past, ...ahead]);
    shown = { events: known, stream, seconds, found };
    drawShapes(past, ahead, found);
    drawScales(ahead, found, stream);
    describe(past.at(-1), stream);
    show();
  }
  function drawShapes(past, ahead, { first, x, y }) {
    const across = (time) => (x(time) * WIDTH).toFixed(1);
    const up = (value) => (HEIGHT - y(value) * (HEIGHT - 4)).toFixed(1);
    const line = (points, name) => points.map((point) => `${across(point.time)} ${up(point[name])}`).join("L");
    const area = (name) => `M${across(first)} ${HEIGHT}L${line(past, name)}L${across(past.at(-1).time)} ${HEIGHT}Z`;
    shapes.accrued.setAttribute("d", area("accrued"));
    shapes.withdrawn.setAttribute("d", area("withdrawn"));
    shapes.deposited.setAttribute("d", `M${line([...past, ...ahead], "deposited")}`);
    shapes.outlook.setAttribute("d", ahead.length ? `M${line(ahead, "accrued")}` : "");
    shapes.now.setAttribute("d", ahead.length ? `M${across(ahead[0].time)} 0V${HEIGHT}` : "");
  }
  function drawScales(ahead, { first, last, highest, x, y }, stream) {
    const rows = amountTicks(highest);
    const columns = timeTicks(first, last, 4, zoneOffset(first));
    const grid = [...rows.map((value) => `M0 ${(HEIGHT - y(value) * (HEIGHT - 4)).toFixed(1)}H${WIDTH}`), ...columns.map((time) => `M${(x(time) * WIDTH).toFixed(1)} 0V${HEIGHT}`)];
    shapes.grid.setAttribute("d", grid.join(""));
    amounts.draw(rows.map((value) => [(y(value) * (HEIGHT - 4)) / HEIGHT, tickText(value, stream.tokenAddress)]));
    times.draw(columns.map((time) => [x(time), (last - first > 2 * DAY ? dayOf : clockTime)(time)]));
    if (top.dataset.highest !== String(highest)) {
      top.dataset.highest = highest;
      top.replaceChildren(money(highest, stream.tokenAddress, { brief: true }));
    }
    say(from, dateTime(first));
    say(to, ahead.length ? `runs out on ${dateTime(last)}` : dateTime(last));
  }
  function describe(here, stream) {
    const text = (value) => amountText(value, stream.tokenAddress);
    const due = stream.claimableUnknown ? "an unknown amount is" : `${text(here.accrued - here.withdrawn)} are`;
    drawing.setAttribute("aria-label", `Of ${text(here.deposited)} deposited, ${text(here.withdrawn)} were withdrawn and ${due} claimable.`);
  }

  /** Show the values at the chosen time; while none is chosen, those of now. */
  function show() {
    if (!shown) return;
    const part = pointed ?? chosen;
    const { events, stream, seconds, found } = shown;
    const { first, last, x } = found;
    const second = part === null ? Math.min(seconds, last) : Math.round(first + part * (last - first));
    const { deposited, withdrawn, accrued } = valueAt(events, stream, second);
    const text = (value) => numberOf(value, stream.tokenAddress);
    const words = `${dateTime(second)}: deposit ${text(deposited)}, claimable ${stream.claimableUnknown ? "not known" : text(accrued - withdrawn)}, withdrawn ${text(withdrawn)}`;
    say(values, words);
    slider.setAttribute("aria-valuetext", words);
    if (chosen === null && document.activeElement !== slider) slider.value = Math.round(x(second) * STEPS);
    shapes.chosen.setAttribute("d", part === null ? "" : `M${(x(second) * WIDTH).toFixed(1)} 0V${HEIGHT}`);
  }
  function choose(part) {
    chosen = part;
    show();
  }
  function point({ clientX }) {
    const { left, width } = drawing.getBoundingClientRect();
    pointed = width ? Math.min(1, Math.max(0, (clientX - left) / width)) : null;
    show();
  }
  function leave() {
    pointed = null;
    show();
  }
  slider.addEventListener("blur", () => choose(null));
  return { node, draw };
}
