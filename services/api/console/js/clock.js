/**
 * The server's time. The header Date of each response gives a lower and an upper limit of the
 * difference between our clock and the server's. We keep the narrowest limits of all responses. Our
 * clock is corrected by the smallest number of milliseconds within these limits.
 */

let low = -Infinity;
let high = Infinity;

/** Use a response: Date `second` (Unix), requested at `sent`, received at `received` (ms). */
export function observe(second, sent, received) {
  const from = second * 1000 - received;
  const to = (second + 1) * 1000 - sent;
  const fits = from <= high && to >= low; // if false, somebody changed one of the clocks
  low = fits ? Math.max(low, from) : from;
  high = fits ? Math.min(high, to) : to;
}

/** The server's time in Unix milliseconds. */
export const now = () => Date.now() + Math.min(Math.max(0, low), high);
