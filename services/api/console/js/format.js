/** Short forms of ids, and durations as text. Pure. */

const UNITS = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]];

/** The start and the end of a long address or hash. */
export const short = (text, ends = 4) =>
  text.length <= 2 * ends + 3 ? text : `${text.slice(0, ends)}…${text.slice(-ends)}`;

/** A stream id in a short form. */
export const streamName = (id) => (id.startsWith("api-") ? `api…${id.slice(-6)}` : `#${id}`);

/** Seconds in the two largest units: 90061 → 1 d 1 h. */
export function duration(seconds) {
  let left = Math.max(0, Math.floor(seconds));
  if (left >= 86_400 * 3650) return "over 10 years";
  const parts = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count || (unit === "s" && !parts.length)) parts.push(`${count} ${unit}`);
    else if (parts.length) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}

/** A number of seconds as text: 0.84 → 840 ms, 2.13 → 2.1 s. */
export function span(seconds) {
  if (seconds < 0.9995) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  return seconds < 60 ? `${seconds.toFixed(1)} s` : duration(seconds);
}
