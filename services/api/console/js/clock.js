/**
 * The server's time. Each answer's Date header says between which moments of ours its second was;
 * what all of them allow is kept, and our own clock is trusted as far as that.
 */

let low = -Infinity;
let high = Infinity;

/** An answer dated `second` (Unix) was asked for at `sent` and came at `received` (ours, ms). */
export function observe(second, sent, received) {
  const from = second * 1000 - received;
  const to = (second + 1) * 1000 - sent;
  const fits = from <= high && to >= low; // else a clock was set
  low = fits ? Math.max(low, from) : from;
  high = fits ? Math.min(high, to) : to;
}

/** Milliseconds of Unix time at the server. */
export const now = () => Date.now() + Math.min(Math.max(0, low), high);
