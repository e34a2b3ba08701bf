/** Small live charts with a scale. */

import { h, say, svg } from "./dom.js";

const WIDTH = 240;
const HEIGHT = 48;

/** The points of a line through `values`. Pure. */
export function points(values, length, top) {
  const step = WIDTH / Math.max(1, length - 1);
  const from = length - values.length;
  return values.map((value, n) => {
    const y = HEIGHT - 3 - (Math.min(value, top) / (top || 1)) * (HEIGHT - 6);
    return `${((from + n) * step).toFixed(1)},${y.toFixed(1)}`;
  });
}

/**
 * A chart of the last `length` values. `push(value)` adds one and shows it as a number. The scale goes
 * from 0 to the largest value, or to `least`. `over` says what the width of the chart is.
 */
export function spark(label, { length = 60, least = 1, format = String, over = "the last 2 minutes" } = {}) {
  const values = [];
  const line = svg("polyline", { class: "spark-line" });
  const area = svg("polygon", { class: "spark-area" });
  const figure = h("output", { class: "figure", "aria-live": "off" }, "–");
  const range = h("small", { class: "scale" });
  const node = h("figure", { class: "spark" },
    h("figcaption", {}, label),
    figure,
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" }, area, line),
    range);
  const push = (value) => {
    values.push(value);
    if (values.length > length) values.shift();
    const top = Math.max(least, ...values);
    const drawn = points(values, length, top);
    line.setAttribute("points", drawn.join(" "));
    const [first] = drawn[0].split(",");
    area.setAttribute("points", [`${first},${HEIGHT}`, ...drawn, `${WIDTH},${HEIGHT}`].join(" "));
    say(figure, format(value));
    say(range, `Scale: 0 to ${format(top)}, ${over}`);
  };
  return { node, push };
}
