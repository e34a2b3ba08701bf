/** One loop that updates everything in the page that changes with time. */

import { now } from "./clock.js";
import { h, say } from "./dom.js";
import { amount } from "./format.js";
import { claimable } from "./money.js";

const moving = new Map();
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const FRAME = 50; // milliseconds between two updates; nobody can read digits that change faster
let asked = false;

/** Call `draw(milliseconds)` now, and again regularly as long as `node` is in the page. */
export function moves(node, draw) {
  moving.set(node, { draw, seen: false });
  draw(now());
  if (!asked) later();
  asked = true;
  return node;
}

/** Ask for the next frame only after a pause: each frame costs the user's battery. */
function later() {
  setTimeout(() => requestAnimationFrame(turn), calm.matches ? 1000 : FRAME);
}

function turn() {
  asked = moving.size > 0;
  if (asked) later();
  const time = now();
  for (const [node, each] of moving) {
    each.seen ||= node.isConnected;
    if (node.isConnected) each.draw(time);
    else if (each.seen) moving.delete(node);
  }
}

/**
 * Shows the claimable amount of `stream()`. The text changes several times a second. `data-amount` is
 * the amount that the API returns for the Unix second `data-as-of`; empty if it is not known.
 */
export function counter(stream, attributes = {}) {
  const node = h("output", { class: "counter", "aria-live": "off", ...attributes });
  return moves(node, (time) => {
    const second = Math.floor(time / 1000);
    const due = claimable(stream(), calm.matches ? second * 1000 : time);
    say(node, due === null ? "not known" : amount(due));
    if (node.dataset.asOf === String(second) && node.dataset.version === String(stream().version)) return;
    node.dataset.asOf = second;
    node.dataset.version = stream().version;
    node.dataset.amount = claimable(stream(), second * 1000) ?? "";
  });
}
