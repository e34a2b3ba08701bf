/** Shows the state of the connection. */

import { now } from "./clock.js";
import { h, say } from "./dom.js";
import { duration } from "./format.js";

const LATE = 15; // seconds of delay from which on "Behind" is shown; a ledger closes about every 5 s

const WHY = {
  draining: "the server is being replaced",
  max_age: "moving to another server",
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

/** Show each change of the connection in `node`, and lost or reset data in `notice`. */
export function showStatus(headrace, node, notice) {
  const word = h("span");
  let behind = 0;
  node.replaceChildren(h("span", { class: "dot", "aria-hidden": "true" }), word);
  const draw = () => {
    const [kind, sentence] = describe(headrace.state, behind);
    node.dataset.kind = kind;
    node.title = headrace.state.leader ? "This tab has the connection" : "Another tab has the connection";
    say(word, sentence);
  };
  headrace.on("state", draw);
  headrace.on("event", (event) => {
    const late = now() / 1000 - event.publishedAt / 1e6;
    behind = late > LATE ? late : 0;
    draw();
  });
  headrace.on("reload", ({ reason }) => {
    say(notice.firstChild, reason === "reset"
      ? "The server's data was reset. Everything was loaded again."
      : "Some events are not stored any more. Everything was loaded again.");
    notice.hidden = false;
  });
  draw();
}

/** Fill the notice: its text and a button that closes it. */
export function prepareNotice(notice) {
  notice.append(h("span"), h("button", { type: "button", class: "quiet", click: () => { notice.hidden = true; } }, "Close"));
}
