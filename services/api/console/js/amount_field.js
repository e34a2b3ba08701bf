/** A field for an amount of a token. People type 12.5; the API gets base units, exactly. */

import { amountText, shownDecimals, unit } from "./amounts.js";
import { field, h, say } from "./dom.js";
import { reader } from "./numbers.js";
import { moves } from "./ticker.js";
import { failureOf, inBaseUnits, isAnswered, tokenOf } from "./tokens.js";
import { readable } from "./units.js";

/** The unit of the field. Until `ready`, the unit can still change, so the field accepts no text. */
function unitFor(address) {
  if (!address) return { words: "First enter the token." };
  if (inBaseUnits() || isAnswered(address)) return { decimals: shownDecimals(address), ready: true };
  tokenOf(address);
  const failure = failureOf(address);
  return { words: failure ? `The decimals of this token could not be read: ${failure}` : "The decimals of this token are being read …" };
}

/**
 * {node, read(), value(), clear()}. `read` returns base units as text, or throws an Error with a sentence.
 * `value` returns base units as BigInt, or null while the text is no amount.
 * `address()` returns the current token, or "" if there is none. When the unit changes, the field is
 * emptied, because 12.5 of one unit is not 12.5 of another. `isRate`: the amount is per second.
 */
export function amountField(label, address, { isRate = false } = {}) {
  const input = h("input", { type: "text", required: true, autocomplete: "off" });
  const about = h("span");
  const flow = h("span");
  const node = field(label, input, h("span", {}, about, flow));
  let current = null;

  function change(token, { words, decimals, ready }) {
    const emptied = Boolean(input.value);
    input.value = "";
    input.disabled = !ready;
    input.inputMode = decimals ? "decimal" : "numeric";
    input.placeholder = ready ? reader.example(decimals ?? 0) : "";
    about.replaceChildren(...(words ? [words] : ["In ", unit(token), "."]), emptied ? " The unit has changed: enter the amount again." : "");
  }
  function update() {
    const token = address();
    const found = unitFor(token);
    const next = `${token} ${found.words ?? found.decimals}`;
    if (next !== current) change(token, found);
    current = next;
    if (isRate) say(flow, preview(token, found.decimals));
  }
  function preview(token, decimals) {
    const [each, period] = readable(valid(decimals) ?? 0n, decimals);
    return period === "a second" ? "" : ` This is ${amountText(each, token)} ${period}.`;
  }
  function valid(decimals) {
    try {
      return reader.parse(input.value, decimals ?? 0);
    } catch {
      return null; // not complete yet; `read` throws the reason
    }
  }
  function read() {
    update(); // the unit may have changed since the last turn
    try {
      return String(reader.parse(input.value, shownDecimals(address()) ?? 0));
    } catch (error) {
      throw new Error(`${label}: ${error.message}`, { cause: error });
    }
  }
  moves(node, update);
  const value = () => (unitFor(address()).ready ? valid(shownDecimals(address())) : null);
  return { node, read, value, clear() { input.value = ""; } };
}
