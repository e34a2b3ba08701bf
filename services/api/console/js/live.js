/** The view Live: events as they arrive. */

import { EVENT_TYPES } from "../headrace/headrace.js";
import { redraw } from "./amounts.js";
import { get } from "./api.js";
import { now } from "./clock.js";
import { calmly, field, h, say, select } from "./dom.js";
import { eventRow, latency, nameOf } from "./events.js";
import { span } from "./format.js";
import { remember } from "./router.js";
import { session } from "./session.js";
import { spark } from "./spark.js";

const SHOWN = 200;
const SECONDS = 60;

/** True if an event matches the filter. Pure. */
export function passes(event, { streams, users, types }) {
  const parties = [event.sender, event.recipient, event.oldRecipient, event.newRecipient, event.from, event.to];
  return (!streams || event.streamId === streams) && (!users || parties.includes(users)) &&
    (!types || event.type === types);
}

/** The parameters of GET /v1/events for the filter. */
export function historyOf(filter, own) {
  const named = { streams: filter.streams, users: filter.streams ? "" : filter.users || own };
  const all = named.streams || named.users ? {} : { all: "true" };
  return { ...named, types: filter.types, ...all };
}

function controls(filter, changed) {
  const type = select({}, [["", "All types"], ...EVENT_TYPES.map((each) => [each, nameOf(each)[0]])], filter.types);
  const inputs = {
    streams: h("input", { type: "search", value: filter.streams, placeholder: "7 or api-…", spellcheck: "false" }),
    users: h("input", { type: "search", value: filter.users, placeholder: "G…", spellcheck: "false" }),
    types: type,
  };
  const read = () => Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.value.trim()]));
  const act = calmly(() => changed(read()));
  return h("form", { class: "filters", role: "search", "aria-label": "Filter events", input: act, submit: (e) => e.preventDefault() },
    field("Stream", inputs.streams), field("Account", inputs.users), field("Type", inputs.types));
}

function gauges() {
  const late = spark("Delay from ledger to page", { format: span });
  const rate = spark("Events a minute", { least: 5 });
  const recent = [];
  const told = [];
  const timer = setInterval(() => {
    const since = now() - SECONDS * 1000;
    while (recent.length && recent[0] < since) recent.shift();
    rate.push(recent.length);
  }, 1000);
  return {
    node: h("div", { class: "gauges" }, late.node, rate.node),
    add(seconds) {
      recent.push(now());
      told.push(seconds);
      if (told.length > 21) told.shift();
      late.push([...told].sort((a, b) => a - b)[told.length >> 1]); // the median: one late event does not change it
    },
    stop: () => clearInterval(timer),
  };
}

/** The view. */
export function live({ headrace, parameters }) {
  let filter = Object.fromEntries(["streams", "users", "types"].map((name) => [name, parameters.get(name) ?? ""]));
  let waiting = null;
  let stopFollowing = () => {};
  const list = h("ol", { class: "events", "aria-label": "Events, newest first" });
  const said = h("p", { class: "quiet-text", role: "status" });
  const measured = gauges();
  const pause = h("button", { type: "button", "aria-pressed": "false", click: () => (waiting ? resume() : hold()) }, "Pause");

  function show(row) {
    redraw(row); // its token may have become known while the row waited
    list.prepend(row);
    while (list.children.length > SHOWN) list.lastChild.remove();
    if (said.dataset.empty) describe("");
  }
  function describe(words, isEmpty = false) {
    said.dataset.empty = isEmpty ? "1" : "";
    say(said, words);
  }
  function hold() {
    waiting = [];
    pause.setAttribute("aria-pressed", "true");
    say(pause, "Resume");
    describe("Paused. New events appear when you resume.");
  }
  function resume() {
    const rows = waiting;
    waiting = null;
    rows.forEach(show);
    pause.setAttribute("aria-pressed", "false");
    say(pause, "Pause");
    describe("");
  }
  function arrived(event) {
    const late = latency(event, now());
    measured.add(late);
    if (!passes(event, filter)) return;
    const row = eventRow(event, { late });
    if (!waiting) return show(row);
    waiting.push(row);
    if (waiting.length > SHOWN) waiting.shift();
    describe(`Paused. ${waiting.length} new ${waiting.length === 1 ? "event" : "events"}.`);
  }
  function begin() {
    stopFollowing();
    const own = session.seesAll ? "" : session.account;
    stopFollowing = headrace.follow({
      async load() {
        const page = await get("/v1/events", { ...historyOf(filter, own), limit: "50" });
        list.replaceChildren(...page.items.filter((event) => passes(event, filter)).map((event) => eventRow(event)));
        if (!list.children.length) describe("No events yet. Events appear here as they happen.", true);
        else if (!waiting) describe("");
        return page.position;
      },
      apply: arrived,
      failed: (error) => { list.replaceChildren(); describe(error.message); },
    });
  }
  begin();
  return {
    title: "Live",
    node: h("section", {},
      h("div", { class: "head" }, h("h1", { tabindex: -1 }, "Live"), pause),
      measured.node,
      controls(filter, (changed) => { filter = changed; remember("live", filter); begin(); }),
      said, list),
    stop: () => { stopFollowing(); measured.stop(); },
  };
}
