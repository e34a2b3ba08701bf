/**
 * The dialog that downloads events as CSV, with a range of dates. The API writes the lines. See
 * docs/decisions/0109-views-load-when-they-are-opened.md.
 */

import { ask, Refusal } from "./api.js";
import { now } from "./clock.js";
import { field, h, isOff, say, switchOff } from "./dom.js";
import { sentenceOf } from "./failure.js";
import { fieldSeconds, fieldValue, zoneName } from "./times.js";

const PAGE = 500; // events for each request, the most that the API allows
const WEEK = 7 * 86_400;
const LINE_END = "\r\n";

/** The lines of a CSV table (RFC 4180). A line end inside of quotation marks belongs to its cell. Pure. */
export function linesOf(text) {
  const lines = [];
  for (const part of text.split(LINE_END)) {
    const open = lines.at(-1);
    const isOpen = open !== undefined && (open.match(/"/g) ?? []).length % 2 === 1;
    if (isOpen) lines[lines.length - 1] = open + LINE_END + part;
    else lines.push(part);
  }
  return lines.filter((line, n) => line || n < lines.length - 1);
}

/** The time of a line in Unix seconds: its second column. A year above 9999 is beyond every range. Pure. */
export function timeOf(line) {
  const [, time] = line.split(",", 2);
  const found = Date.parse(time) / 1000;
  return Number.isNaN(found) ? Number(time) : found;
}

/** One page of the API's table: {head, lines, next}. Waits if the API asks for it (429, 503). */
async function page(parameters, isWanted) {
  for (;;) {
    const answer = await ask(`/v1/events?${new URLSearchParams(parameters)}`, { headers: { Accept: "text/csv" } });
    if (answer.ok) {
      const [head, ...lines] = linesOf(await answer.text());
      return { head, lines, next: answer.headers.get("Headrace-Next"), gap: answer.headers.get("Headrace-Gap") };
    }
    const wait = Number(answer.headers.get("Retry-After"));
    if (!wait || !isWanted()) throw new Refusal(answer.status, await answer.json().catch(() => ({})));
    await new Promise((resolve) => setTimeout(resolve, wait * 1000));
  }
}

/**
 * The table of all events from `from` up to `to` (Unix seconds, null for no limit), oldest first. The
 * history is read from its newest event back, until a whole page is older than `from`. Returns {text,
 * rows, gap}, or null if `progress(read, rows)` returned false.
 */
export async function collect(parameters, from, to, progress) {
  const kept = [];
  let [read, next, head, gap] = [0, "", "", null];
  const given = Object.entries(parameters).filter(([, value]) => value);
  do {
    const asked = [...given, ["order", "desc"], ["limit", PAGE], ...(next ? [["before", next]] : [])];
    const found = await page(asked, () => progress(read, kept.length) !== false);
    const times = found.lines.map(timeOf);
    kept.push(...found.lines.filter((_, n) => (from === null || times[n] >= from) && (to === null || times[n] <= to)));
    read += found.lines.length;
    [head, next, gap] = [found.head, found.next, gap ?? found.gap];
    if (progress(read, kept.length) === false) return null;
    if (from !== null && times.length && times.every((time) => time < from)) break;
  } while (next);
  return { text: [head, ...kept.reverse(), ""].join(LINE_END), rows: kept.length, gap };
}

function save(text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  h("a", { href: url, download: "events.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Ask for the dates, and download the events that match `parameters` of GET /v1/events. */
export function downloadDialog(parameters) {
  let isOpen = true;
  const date = () => h("input", { type: "datetime-local", step: 1 });
  const [from, to] = [date(), date()];
  from.value = fieldValue(Math.floor(now() / 1000) - WEEK);
  const said = h("p", { class: "quiet-text", role: "status" });
  const wrong = h("p", { class: "bad", role: "alert" });
  const go = h("button", { type: "submit", class: "main" }, "Download");
  const title = h("h2", { id: "download-title" }, "Download events as CSV");
  const form = h("form", { submit },
    title,
    h("p", { class: "quiet-text" }, `The events of this view, and those of the whole contract. Times are in ${zoneName()}. An empty field means no limit.`),
    h("div", { class: "pair" }, field("From", from), field("Until", to)),
    said, wrong,
    h("div", { class: "buttons" }, h("button", { type: "button", class: "quiet", click: () => dialog.close() }, "Close"), go));
  const dialog = h("dialog", { "aria-labelledby": title.id, close: () => { isOpen = false; dialog.remove(); } }, form);
  document.body.append(dialog);
  dialog.showModal();

  async function submit(event) {
    event.preventDefault();
    if (isOff(go)) return;
    switchOff(go, true);
    wrong.textContent = "";
    try {
      const found = await collect(parameters, fieldSeconds(from.value), fieldSeconds(to.value), (read, rows) => {
        say(said, `${read} events read, ${rows} of them are in the range.`);
        return isOpen;
      });
      if (!found) return;
      save(found.text);
      say(said, `Downloaded ${found.rows} ${found.rows === 1 ? "event" : "events"}.${found.gap ? " Some events of this range are not stored any more." : ""}`);
    } catch (error) {
      wrong.textContent = sentenceOf(error);
    }
    switchOff(go, false);
  }
}
