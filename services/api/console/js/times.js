/**
 * Times in the reader's language, in the zone that the reader has chosen: the zone of the browser, or
 * UTC. A time with its date always names its zone. The texts change as soon as the reader chooses.
 */

import { Storage } from "../headrace/storage.js";
import { h } from "./dom.js";

const LATEST = 8.64e12; // the largest time of a Date, in seconds
const CHOICE = "headrace zone";
const BEYOND = "beyond any date";

const storage = new Storage(globalThis, "localStorage");
const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
let isUtc = storage.get(CHOICE) === "utc";
let formats = made();

function made() {
  const of = (options) => new Intl.DateTimeFormat(undefined, { ...options, ...(isUtc && { timeZone: "UTC" }) });
  return {
    clock: of(clock),
    zoned: of({ ...clock, timeZoneName: "short" }),
    day: of({ day: "numeric", month: "short", year: "numeric" }),
    parts: of({ year: "numeric", month: "2-digit", day: "2-digit", ...clock, calendar: "iso8601", numberingSystem: "latn" }),
  };
}

/** True if the reader wants all times in UTC. */
export const inUtc = () => isUtc;

/** Choose UTC, or the zone of the browser. */
export function chooseUtc(chosen) {
  isUtc = chosen;
  storage.set(CHOICE, chosen ? "utc" : null);
  formats = made();
  globalThis.document?.querySelectorAll("time[data-at]").forEach(draw);
}

/** The name of the zone that is shown, such as "Europe/Berlin". */
export const zoneName = () => (isUtc ? "UTC" : formats.clock.resolvedOptions().timeZone);

/** The time of day of Unix seconds, without the zone. */
export const clockTime = (seconds) => (seconds < LATEST ? formats.clock.format(seconds * 1000) : BEYOND);

/** The date, the time and the zone of Unix seconds. */
export const dateTime = (seconds) =>
  seconds < LATEST ? `${formats.day.format(seconds * 1000)}, ${formats.zoned.format(seconds * 1000)}` : BEYOND;

/** The date of Unix seconds. */
export const dayOf = (seconds) => (seconds < LATEST ? formats.day.format(seconds * 1000) : BEYOND);

/** The attribute `datetime` of a <time>, for machines. */
export const iso = (seconds) => (seconds < LATEST ? new Date(seconds * 1000).toISOString() : null);

/** The value of an <input type="datetime-local"> for Unix seconds, in the zone that is shown. */
export function fieldValue(seconds) {
  const part = Object.fromEntries(formats.parts.formatToParts(seconds * 1000).map(({ type, value }) => [type, value]));
  return `${part.year.padStart(4, "0")}-${part.month}-${part.day}T${part.hour}:${part.minute}:${part.second}`;
}

/** Seconds by which the zone that is shown is ahead of UTC at this time. */
export const zoneOffset = (seconds) => (isUtc || seconds >= LATEST ? 0 : -60 * new Date(seconds * 1000).getTimezoneOffset());

/** The Unix seconds of such a value; null if the field is empty. */
export const fieldSeconds = (value) => (value ? Math.floor(Date.parse(isUtc ? `${value}Z` : value) / 1000) : null);

function draw(node) {
  const seconds = Number(node.dataset.at);
  node.title = dateTime(seconds);
  node.textContent = (node.dataset.whole === undefined ? clockTime : dateTime)(seconds);
}

/** A <time> element: text for people, and the attribute `datetime` for machines. */
export function moment(seconds, whole = false) {
  const node = h("time", { datetime: iso(seconds), "data-at": seconds, "data-whole": whole });
  draw(node);
  return node;
}
