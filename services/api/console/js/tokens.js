/**
 * The tokens that the page knows, and the reader's choice: amounts in tokens, or in base units.
 *
 * Answers with lists and summaries contain their tokens. The page asks the API for any other token.
 * Until the answer arrives, amounts are shown in base units. Then they are drawn again.
 */

import { Storage } from "../headrace/storage.js";
import { get } from "./api.js";

const ASKED = 4; // most requests at the same time: other requests of the page must not wait long
const SOONEST = 4_000; // milliseconds until the page asks again: the indexer reads a new token within seconds
const LATEST = 600_000; // this time doubles after each answer, up to this limit: some tokens have no decimals
const FAILED = 30_000; // the limit after a request that failed: the API may be back soon
const KEPT = 1000; // most tokens that are kept: anyone can make tokens, and a page can be open for weeks
const CHOICE = "headrace amounts";

const storage = new Storage(globalThis, "localStorage");
const known = new Map(); // address → {token, failure, at, wait}; the token is null until the API has answered
const pending = new Set(); // addresses that the page asks for
const listeners = new Set();
let inBase = storage.get(CHOICE) === "base";
let told = false;

/** Call `act` after a token has become known, or the reader has chosen other units. */
export const onTokens = (act) => listeners.add(act);

/** Call the listeners once for all changes in this iteration of the event loop. */
function tell() {
  if (told) return;
  told = true;
  setTimeout(() => { told = false; listeners.forEach((act) => act()); }, 0);
}

/** Store a token. If its decimals are unknown, a later redraw asks for it again, if it is still shown. */
function keep(address, token, failure = "") {
  const wait = Math.min(failure ? FAILED : LATEST, 2 * (known.get(address)?.wait ?? SOONEST / 2));
  known.delete(address);
  known.set(address, { token, failure, at: Date.now(), wait });
  if (!Number.isInteger(token?.decimals)) setTimeout(tell, wait).unref?.(); // unref: Node may end meanwhile
  if (known.size > KEPT) known.delete(known.keys().next().value);
}

/** Use the `tokens` of a list or a summary: {address: token}. */
export function learn(tokens) {
  for (const [address, token] of Object.entries(tokens ?? {})) {
    const same = JSON.stringify(known.get(address)?.token) === JSON.stringify(token);
    keep(address, token);
    if (!same) tell();
  }
}

/** The token, or null. If it is not known, the page asks the API; then the listeners of `onTokens` are called. */
export function tokenOf(address) {
  const found = known.get(address);
  const fresh = found && (Number.isInteger(found.token?.decimals) || Date.now() - found.at < found.wait);
  if (address && !fresh && !pending.has(address) && pending.size < ASKED) ask(address);
  return found?.token ?? null;
}

/** True if the API has answered, even if it knows nothing of the token. A failed request is no answer. */
export const isAnswered = (address) => Boolean(known.get(address)?.token);

/** The reason why the last request for the token failed; "" if it did not. */
export const failureOf = (address) => known.get(address)?.failure ?? "";

async function ask(address) {
  pending.add(address);
  try {
    keep(address, await get(`/v1/tokens/${encodeURIComponent(address)}`));
  } catch (error) {
    keep(address, known.get(address)?.token ?? null, error.message || "The API does not answer.");
  }
  pending.delete(address);
  tell(); // this also asks for the next tokens that are shown
}

/** True if the reader wants all amounts in base units. */
export const inBaseUnits = () => inBase;

/** Choose base units, or the units of the tokens. */
export function chooseBaseUnits(chosen) {
  inBase = chosen;
  storage.set(CHOICE, chosen ? "base" : null);
  tell();
}
