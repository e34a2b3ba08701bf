/** One loop that updates everything in the page that changes with time. */

import { numberOf, rawText, shownDecimals } from "./amounts.js";
import { now } from "./clock.js";
import { h, say } from "./dom.js";
import { claimable, flows } from "./money.js";
import { onTokens } from "./tokens.js";
import { running } from "./units.js";

const moving = new Map(); // node → {draw, wasConnected, isVisible}
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const FRAME = 50; // milliseconds between two updates; nobody can read digits that change faster
const NEAR = "200px"; // nodes this near to the window are updated too, so that scrolling shows no old amounts
const LONG = 16; // characters; a phone has room for this number of large digits
let asked = false;
let watcher = null;

/** Call `draw(milliseconds)` now, and again regularly as long as `node` is in the page and visible. */
export function moves(node, draw) {
  moving.set(node, { draw, wasConnected: false, isVisible: false });
  draw(now());
  watcher ??= new IntersectionObserver(noticed, { rootMargin: NEAR });
  watcher.observe(node); // also calls `noticed` soon after the node was added to the page
  if (!asked) later();
  asked = true;
  return node;
}

/** Ask for the next frame only after a pause: each frame costs the user's battery. */
function later() {
  setTimeout(() => requestAnimationFrame(turn), calm.matches ? 1000 : FRAME);
}

function noticed(changes) {
  for (const { target, isIntersecting } of changes) {
    const each = moving.get(target);
    if (!each) continue;
    each.isVisible = isIntersecting;
    if (isIntersecting) each.draw(now());
  }
}

function turn() {
  asked = moving.size > 0;
  if (asked) later();
  const time = now();
  for (const [node, each] of moving) {
    const { isConnected } = node;
    if (isConnected && each.isVisible) each.draw(time);
    if (!isConnected && each.wasConnected) forget(node);
    each.wasConnected ||= isConnected;
  }
}

function forget(node) {
  moving.delete(node);
  watcher.unobserve(node);
}

/** Draw all nodes, also those out of sight: their width can change the page. */
function drawAll() {
  for (const [node, { draw }] of moving) if (node.isConnected) draw(now());
}

onTokens(drawAll);

/**
 * The text of a claimable amount. While the amount grows, the text has a fixed number of decimals, so
 * that its width rarely changes. Otherwise it is exact.
 */
function countText(stream, due, time) {
  if (due === null) return "not known";
  const { tokenAddress, ratePerSecond } = stream;
  const decimals = shownDecimals(tokenAddress);
  const cut = decimals !== null && flows(stream, time) ? running(ratePerSecond, decimals) : null;
  return numberOf(due, tokenAddress, cut);
}

/**
 * Shows the claimable amount of `stream()`, without its unit. The text changes several times a second.
 * `data-amount` is the amount in base units that the API returns for the Unix second `data-as-of`; empty
 * if it is not known. `data-size` is "long" for a number that must wrap on a phone.
 */
export function counter(stream, attributes = {}) {
  const node = h("output", { class: "counter", "aria-live": "off", ...attributes });
  return moves(node, (time) => {
    const second = Math.floor(time / 1000);
    const due = claimable(stream(), calm.matches ? second * 1000 : time);
    const text = countText(stream(), due, time);
    say(node, text);
    node.dataset.size = text.length > LONG ? "long" : "";
    if (node.dataset.asOf === String(second) && node.dataset.version === String(stream().version)) return;
    node.dataset.asOf = second;
    node.dataset.version = stream().version;
    const exact = claimable(stream(), second * 1000);
    node.dataset.amount = exact ?? "";
    node.title = exact === null ? "" : rawText(exact);
  });
}
