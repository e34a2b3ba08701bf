/** Shows the state of the connection. */

import { now } from "./clock.js";
import { h, keepFocus, say } from "./dom.js";
import { duration } from "./format.js";

const LATE = 15; // seconds of delay from which on "Behind" is shown; a ledger closes about every 5 s

const WHY = {
  draining: "the server is being replaced",
  max_age: "moving to another server",
  resume_limit: "there are more events to load",
  ended_by_admin: "an admin ended the connection",
  slow: "this page read too slowly",
  revoked: "the login was revoked",
  token_expired: "the login has expired",
};

/** [kind, text] of the state of the connection. `behind`: seconds by which the newest event was late. */
export function describe(state, behind = 0) {
  const reason = state.reason ? ` (${WHY[state.reason] ?? state.reason})` : "";
  const lag = Math.max(behind, state.lagSeconds ?? 0);
  switch (state.status) {
    case "live": return lag > LATE ? ["late", `Behind by ${duration(lag)}`] : ["live", "Live"];
    case "reconnecting": return ["away", `Reconnecting…${reason}`];
    case "refused": return ["away", "Log in again"];
    case "closed": return ["away", "Closed"];
    default: return ["away", "Connecting…"];
  }
}

/** The age of the data in words: the last ledger of which the page has heard, or the time. Pure. */
export function asOf({ ledger, closedAt, heardAt }, time) {
  const ago = (since) => `${duration((time - since) / 1000)} ago`;
  if (ledger) return `as of ledger ${ledger}, ${ago(closedAt)}`;
  return heardAt ? `as of ${ago(heardAt)}` : "";
}

/** Remembers the newest ledger of which events and `sync` frames tell. Times are Unix milliseconds. */
class Freshness {
  ledger = null;
  closedAt = null;
  heardAt = null;
  #last = null;

  heard(ledger, closedAt) {
    this.heardAt = now();
    if (!ledger || ledger < (this.ledger ?? 0)) return;
    this.ledger = ledger;
    this.closedAt = closedAt;
  }

  /** The state of the connection. It changes for other reasons too, and then tells nothing new. */
  state({ ledger, lagSeconds }) {
    const told = `${ledger} ${lagSeconds}`;
    if (ledger !== null && told !== this.#last) this.heard(ledger, now() - lagSeconds * 1000);
    this.#last = told;
  }
}

/**
 * Show each change of the connection in `node`, lost or reset data in `notice`, and the age of the data
 * in `age` while the page does not get new data.
 */
export function showStatus(headrace, node, notice, age) {
  const word = h("span");
  const fresh = new Freshness();
  let behind = 0;
  node.replaceChildren(h("span", { class: "dot", "aria-hidden": "true" }), word);
  const draw = () => {
    const [kind, sentence] = describe(headrace.state, behind);
    const words = asOf(fresh, now());
    node.dataset.kind = kind;
    node.title = [words, headrace.state.leader ? "This tab has the connection" : "Another tab has the connection"].filter(Boolean).join(". ");
    say(word, sentence);
    age.hidden = kind === "live" || !words;
    say(age, age.hidden ? "" : `The page shows data ${words}.`);
  };
  headrace.on("state", (state) => { fresh.state(state); draw(); });
  headrace.on("event", (event) => {
    const late = now() / 1000 - event.publishedAt / 1e6;
    behind = late > LATE ? late : 0;
    fresh.heard(event.ledger, Date.parse(event.ledgerClosedAt));
    draw();
  });
  headrace.on("reload", ({ reason }) => {
    if (reason === "reset") fresh.ledger = null; // ledgers may begin again
    say(notice.firstChild, reason === "reset"
      ? "The server's data was reset. Everything was loaded again."
      : "Some events are not stored any more. Everything was loaded again.");
    notice.hidden = false;
  });
  setInterval(draw, 1000);
  draw();
}

/** Fill the notice: its text and a button that closes it. */
export function prepareNotice(notice) {
  notice.append(h("span"), h("button", { type: "button", class: "quiet", click: () => keepFocus(notice, () => { notice.hidden = true; }) }, "Close"));
}
