/**
 * The dialog that downloads events as a file, with a range of dates. The API writes the file while it
 * reads the history. See docs/decisions/0109-views-load-when-they-are-opened.md.
 */

import { ask, Refusal } from "./api.js";
import { now } from "./clock.js";
import { field, h, isOff, say, select, switchOff } from "./dom.js";
import { sentenceOf } from "./failure.js";
import { fieldSeconds, fieldValue, zoneName } from "./times.js";

const WEEK = 7 * 86_400;
const PART = 8 << 20; // so many bytes become a Blob, which the browser may keep on the disk
const FORMATS = [
  ["csv", "CSV, for spreadsheets"], ["ndjson", "NDJSON, an event on each line"], ["parquet", "Parquet, for DuckDB and pandas"],
];

/** The parameters of an export. A date that is null and a filter that is empty are no limit. Pure. */
export function exportQuery(parameters, format, from, to) {
  const given = Object.entries({ ...parameters, format, from, to });
  return String(new URLSearchParams(given.filter(([, value]) => value !== null && value !== "")));
}

/** A number of bytes for people. Pure. */
export function sizeText(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** The answer of the API. Waits and asks again if the API says so (429, 503). */
async function answerTo(query, signal) {
  for (;;) {
    const answer = await ask(`/v1/events/export?${query}`, { signal });
    if (answer.ok) return answer;
    const wait = Number(answer.headers.get("Retry-After"));
    if (!wait) throw new Refusal(answer.status, await answer.json().catch(() => ({})));
    await new Promise((resolve) => setTimeout(resolve, wait * 1000));
    signal.throwIfAborted();
  }
}

/** The body of an answer as a Blob. `progress` is called with the number of bytes so far. */
async function fileOf(answer, progress) {
  const [reader, parts] = [answer.body.getReader(), []];
  let [size, waiting] = [0, []];
  for (;;) {
    const { done, value } = await reader.read();
    if (value) waiting.push(value);
    size += value?.length ?? 0;
    progress(size);
    if (!done && waiting.reduce((sum, { length }) => sum + length, 0) < PART) continue;
    parts.push(new Blob(waiting));
    if (done) return new Blob(parts, { type: answer.headers.get("Content-Type") });
    waiting = [];
  }
}

function save(file, name) {
  const url = URL.createObjectURL(file);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Ask for dates and format, and download the events that match `parameters` of GET /v1/events. */
export function downloadDialog(parameters) {
  const closed = new AbortController();
  const date = () => h("input", { type: "datetime-local", step: 1 });
  const [from, to, format] = [date(), date(), select({}, FORMATS, "csv")];
  from.value = fieldValue(Math.floor(now() / 1000) - WEEK);
  const said = h("p", { class: "quiet-text", role: "status" });
  const wrong = h("p", { class: "bad", role: "alert" });
  const go = h("button", { type: "submit", class: "main" }, "Download");
  const title = h("h2", { id: "download-title" }, "Download events");
  const form = h("form", { submit },
    title,
    h("p", { class: "quiet-text" }, `The events of this view, and those of the whole contract, oldest first. Times are in ${zoneName()}. An empty field means no limit.`),
    h("div", { class: "pair" }, field("From", from), field("Until", to)),
    field("Format", format),
    said, wrong,
    h("div", { class: "buttons" }, h("button", { type: "button", class: "quiet", click: () => dialog.close() }, "Close"), go));
  const dialog = h("dialog", { "aria-labelledby": title.id, close: () => { closed.abort(); dialog.remove(); } }, form);
  document.body.append(dialog);
  dialog.showModal();

  async function submit(event) {
    event.preventDefault();
    if (isOff(go)) return;
    switchOff(go, true);
    wrong.textContent = "";
    try {
      const query = exportQuery(parameters, format.value, fieldSeconds(from.value), fieldSeconds(to.value));
      const answer = await answerTo(query, closed.signal);
      const file = await fileOf(answer, (size) => say(said, `${sizeText(size)} received.`));
      save(file, `events.${format.value}`);
      const gap = answer.headers.has("Headrace-Gap") ? " Some events of this range are not stored any more." : "";
      say(said, `Downloaded ${sizeText(file.size)}.${gap}`);
    } catch (error) {
      if (!closed.signal.aborted) wrong.textContent = sentenceOf(error);
    }
    switchOff(go, false);
  }
}
