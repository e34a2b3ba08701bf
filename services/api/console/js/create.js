/** The dialog that creates a stream, with a preview of its rate, its end and its total. */

import { amountField } from "./amount_field.js";
import { amountText, shownDecimals } from "./amounts.js";
import { post, unique } from "./api.js";
import { field, h, say } from "./dom.js";
import { sentenceOf } from "./failure.js";
import { duration } from "./format.js";
import { session } from "./session.js";
import { moves } from "./ticker.js";
import { dateTime, fieldSeconds, zoneName } from "./times.js";
import { readable } from "./units.js";

export const ACCOUNT = "[GCM][A-Z2-7]{55,68}";
export const CONTRACT = "C[A-Z2-7]{55}";
const LATEST = 253_402_300_799n; // the largest start that the API accepts: the end of the year 9999

/** A field for a text. */
export const text = (more = {}) => h("input", { type: "text", autocomplete: "off", spellcheck: "false", ...more });

/** The token of a field, or "" while it holds no address of a contract. */
export const tokenIn = (input) => () => (new RegExp(`^${CONTRACT}$`).test(input.value.trim()) ? input.value.trim() : "");

/** The first second at which the whole deposit has accrued, by shared/domain/stream.py. Pure. */
export const endOf = (start, deposit, rate) => BigInt(start) + (deposit + rate - 1n) / rate;

/** The tags of a text with commas. Pure. */
export const tagsOf = (text) => [...new Set(text.split(",").map((each) => each.trim()).filter(Boolean))];

/** The sentence about a stream that is not made yet. `rate` and `deposit` are base units or null. */
export function previewText(token, rate, deposit, given, time) {
  if (!rate || !deposit) return "Rate, end and total of the stream are shown here.";
  const [flow, period] = readable(rate, shownDecimals(token));
  const start = given ?? Math.floor(time / 60_000) * 60; // the text must not change each second
  const end = endOf(start, deposit, rate);
  const until = end > LATEST ? "a time beyond any date" : dateTime(Number(end));
  const times = given === null ? `from now until about ${until}` : `from ${dateTime(start)} until ${until}`;
  return `${amountText(flow, token)} ${period}, ${times} (${duration(Number(end - BigInt(start)))}). ${amountText(deposit, token)} in total.`;
}

/** Ask for the fields of a stream, create the stream, and show its view. */
export function createDialog() {
  const inputs = {
    sender: text({ required: true, pattern: ACCOUNT, value: session.account, readonly: Boolean(session.account), list: "book" }),
    recipient: text({ required: true, pattern: ACCOUNT, list: "book" }),
    tokenAddress: text({ required: true, pattern: CONTRACT, list: "book" }),
  };
  const start = h("input", { type: "datetime-local", step: 1 });
  const notes = { label: text({ maxlength: 200 }), tags: text(), note: h("textarea", { maxlength: 2000, rows: 2 }) };
  const token = tokenIn(inputs.tokenAddress);
  const rate = amountField("Rate a second", token, { isRate: true });
  const deposit = amountField("Deposit", token);
  const preview = h("p", { class: "preview", role: "status" });
  const said = h("p", { class: "bad", role: "alert" });
  const title = h("h2", { id: "create-title" }, "New stream");
  const form = h("form", { submit },
    title,
    field("From", inputs.sender, "Address of the sender. A stream of the API moves no money on the chain."),
    field("To", inputs.recipient),
    field("Token", inputs.tokenAddress, "Address of the token contract (C…)."),
    h("div", { class: "pair" }, rate.node, deposit.node),
    field("Start", start, `Optional. In ${zoneName()}. An empty field means now.`),
    field("Label", notes.label, "Optional. What the stream is for."),
    field("Tags", notes.tags, "Optional. Separated by commas."),
    field("Note", notes.note, "Optional."),
    preview, said,
    h("div", { class: "buttons" },
      h("button", { type: "button", class: "quiet", click: () => dialog.close() }, "Cancel"),
      h("button", { type: "submit", class: "main" }, "Create stream")));
  const dialog = h("dialog", { "aria-labelledby": title.id, close: () => dialog.remove() }, form);
  document.body.append(dialog);
  dialog.showModal();
  moves(preview, (time) => {
    say(preview, previewText(token(), rate.value(), deposit.value(), fieldSeconds(start.value), time));
  });
  let sent = { body: "", key: "" };

  /** The same body gets the same Idempotency-Key: pressing the button again makes no second stream. */
  function keyFor(body) {
    const same = JSON.stringify(body);
    if (sent.body !== same) sent = { body: same, key: unique() };
    return { "Idempotency-Key": sent.key };
  }
  function bodyOf() {
    const given = Object.fromEntries(Object.entries(inputs).map(([name, { value }]) => [name, value.trim()]));
    const [label, tags, note, startTime] = [notes.label.value.trim(), tagsOf(notes.tags.value), notes.note.value.trim(), fieldSeconds(start.value)];
    const metadata = { ...(label && { label }), ...(tags.length && { tags }), ...(note && { note }) };
    const amounts = { ratePerSecond: rate.read(), depositedAmount: deposit.read() };
    return { ...given, ...amounts, ...(startTime !== null && { startTime }), ...(Object.keys(metadata).length && { metadata }) };
  }
  async function submit(event) {
    event.preventDefault();
    try {
      const body = bodyOf();
      const made = await post("/v1/streams", body, keyFor(body));
      dialog.close();
      location.hash = `#/streams/${made.id}`;
    } catch (error) {
      said.textContent = sentenceOf(error);
    }
  }
}
