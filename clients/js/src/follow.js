// @ts-check
/** Combines a snapshot with the events after it. */

import { mayPass } from "./answers.js";
import { comparePositions } from "./events.js";

const AGAIN = 2000; // milliseconds until a load that failed is tried again

/**
 * Load a snapshot and apply the events after it. `load` resolves to the position of the snapshot.
 * `apply` gets each event after this position. We listen before we load, so that no event is lost.
 * `failed` gets an error of `load`. After a 429, a 5xx or without a response, `load` is called again.
 * Returns a function that stops all this.
 */
export function follow(headrace, { load, apply, failed = () => {} }, isClosed) {
  let held = [], since = null, turn = 0;
  const later = (event) => since === null || comparePositions(event.id, since) > 0;
  const begin = async () => {
    const mine = ++turn;
    held = [];
    try {
      await headrace.begun;
      if (mine !== turn) return;
      const position = await load();
      if (mine !== turn) return;
      since = position ?? null;
      const events = held;
      held = null;
      events.filter(later).forEach(apply);
    } catch (error) {
      if (mine !== turn) return;
      failed(error);
      if (mayPass(error) && !isClosed()) setTimeout(() => mine === turn && begin(), AGAIN);
    }
  };
  const stops = [
    headrace.on("event", (event) => { if (held) held.push(event); else if (later(event)) apply(event); }),
    headrace.on("reload", begin),
    () => { turn = -1; held = []; },
  ];
  begin();
  return () => stops.forEach((stop) => stop());
}
