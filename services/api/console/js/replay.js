/** The view Replay: the events after a position, a part at a time, and then the live events. */

import { get } from "./api.js";
import { h, isOff, keepFocus, say, switchOff } from "./dom.js";
import { justBefore } from "./event.js";
import { EventList } from "./event_list.js";
import { latency } from "./events.js";
import { now } from "./clock.js";
import { failurePlace } from "./failure.js";
import { everything } from "./scope.js";

const STEP = 200; // events for each press of the button
const SHOWN = 1000; // rows

/** The view. The event at the position is the first one that is replayed. */
export function replay({ headrace, parts: [, position = ""] }) {
  let at = null;
  let total = 0;
  let stop = () => {};
  const list = new EventList("Replayed events, newest first", { most: SHOWN });
  const said = h("p", { class: "quiet-text", role: "status" });
  const more = h("button", { type: "button", hidden: true, click: step }, `Next ${STEP} events`);
  const failed = failurePlace(step);
  const title = h("h1", { tabindex: -1 }, "Replay");
  const about = h("p", { class: "quiet-text" }, "From ", h("a", { href: `#/events/${position}` }, h("code", {}, position)), " on, newest first.");

  const page = () => get("/v1/events", { ...everything(), after: at, order: "asc", limit: STEP });
  function show({ items, next, position: top, gap }) {
    items.forEach((event) => list.add(event));
    total += items.length;
    at = next ?? top;
    const lost = gap ? " Some events of this range are not stored any more." : "";
    say(said, `${total} ${total === 1 ? "event" : "events"} replayed.${next ? " More follow." : " New events appear as they happen."}${lost}`);
    keepFocus(more, () => { more.hidden = !next; }, () => list.node.querySelector("a"));
    return next;
  }
  async function step() {
    if (isOff(more)) return;
    failed.clear();
    switchOff(more, true);
    try {
      if (!show(await page())) follow();
    } catch (error) {
      failed.show(error);
    }
    switchOff(more, false);
  }
  /** All stored events are shown: read those that came meanwhile, then follow. */
  function follow() {
    stop = headrace.follow({
      async load() {
        failed.clear();
        while (show(await page())) { /* read on */ }
        return at;
      },
      apply(event) {
        total += 1;
        list.add(event, latency(event, now()));
        at = event.id;
      },
      failed: failed.show,
    });
  }
  if (/^\d{1,20}-\d{1,20}$/.test(position)) {
    at = justBefore(position);
    step();
  } else say(said, "The address has no position of an event, such as 16010972359577600-1.");
  return {
    title: "Replay",
    node: h("section", {}, title, about, said, failed.node, more, list.node),
    stop: () => stop(),
  };
}
