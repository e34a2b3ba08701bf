/**
 * The server's time. The header Date of each response limits how far our clock can differ from the
 * server's. We keep the limits of all responses, and correct our clock only as far as they require.
 */

let low = -Infinity;
let high = Infinity;

/** Learn from a response with Date `second` (Unix), requested at `sent`, received at `received` (ms). */
export function observe(second, sent, received) {
  const from = second * 1000 - received;
  const to = (second + 1) * 1000 - sent;
  const fits = from <= high && to >= low; // if not, one of the clocks was changed
  low = fits ? Math.max(low, from) : from;
  high = fits ? Math.min(high, to) : to;
}

/** The server's time in Unix milliseconds. */
export const now = () => Date.now() + Math.min(Math.max(0, low), high);
