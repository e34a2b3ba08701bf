/** The view Live: events as they arrive. */

import { EVENT_TYPES } from "../headrace/headrace.js";
import { get } from "./api.js";
import { now } from "./clock.js";
import { calmly, field, h, say, select } from "./dom.js";
import { EventList } from "./event_list.js";
import { latency, nameOf } from "./events.js";
import { failurePlace } from "./failure.js";
import { span } from "./format.js";
import { remember } from "./router.js";
import { ownAccount } from "./scope.js";
import { spark } from "./spark.js";

const SHOWN = 200;
const SECONDS = 60;
const FILTERS = ["streams", "users", "types", "tx"];
const SEARCHED = 20; // pages of the history in which a transaction is looked for
const LARGE = 500; // events of such a page

/** True if an event matches the filter. Pure. */
export function passes(event, { streams, users, types, tx }) {
  const parties = [event.sender, event.recipient, event.oldRecipient, event.newRecipient, event.from, event.to];
  return (!streams || event.streamId === streams) && (!users || parties.includes(users)) &&
    (!types || event.type === types) && (!tx || event.txHash === tx);
}

/** The parameters of GET /v1/events for the filter. */
export function historyOf(filter, own) {
  const named = { streams: filter.streams, users: filter.streams ? "" : filter.users || own };
  const all = named.streams || named.users ? {} : { all: "true" };
  return { ...named, types: filter.types, ...all };
}

/**
 * The latest events that match: {items, position, searched}. The API cannot search for a transaction.
 * So its latest pages are read until the transaction is found: its events stand together. `searched` is
 * the number of events that were read without finding it.
 */
async function latest(filter) {
  const wanted = historyOf(filter, ownAccount());
  const fits = (event) => passes(event, filter);
  if (!filter.tx) {
    const page = await get("/v1/events", { ...wanted, limit: 50 });
    return { items: page.items.filter(fits), position: page.position };
  }
  let [position, before, searched, items] = [null, "", 0, []];
  for (let pages = 0; pages < SEARCHED && before !== null; pages++) {
    const page = await get("/v1/events", { ...wanted, limit: LARGE, before });
    position ??= page.position;
    const found = page.items.filter(fits);
    if (items.length && !found.length) break;
    items = [...items, ...found];
    searched += page.items.length;
    before = page.next;
  }
  return { items, position, searched: items.length ? 0 : searched };
}

function controls(filter, changed) {
  const type = select({}, [["", "All types"], ...EVENT_TYPES.map((each) => [each, nameOf(each)[0]])], filter.types);
  const inputs = {
    streams: h("input", { type: "search", value: filter.streams, placeholder: "7 or api-…", spellcheck: "false" }),
    users: h("input", { type: "search", value: filter.users, placeholder: "G…", spellcheck: "false", list: "book" }),
    types: type,
    tx: h("input", { type: "search", value: filter.tx, placeholder: "Hash", spellcheck: "false" }),
  };
  const read = () => Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.value.trim()]));
  const act = calmly(() => changed(read()));
  return h("form", { class: "filters", role: "search", "aria-label": "Filter events", input: act, submit: (e) => e.preventDefault() },
    field("Stream", inputs.streams), field("Account", inputs.users), field("Type", inputs.types), field("Transaction", inputs.tx));
}

function gauges() {
  const late = spark("Delay from ledger to page", { format: span, over: "the latest 60 events" });
  const rate = spark("Events a minute", { least: 5, over: "the last minute" });
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
  let filter = Object.fromEntries(FILTERS.map((name) => [name, parameters.get(name) ?? ""]));
  let waiting = null; // [event, late] while the reader has paused the list
  let stopFollowing = () => {};
  const list = new EventList("Events, newest first", { most: SHOWN });
  const said = h("p", { class: "quiet-text", role: "status" });
  const failed = failurePlace(begin);
  const measured = gauges();
  const pause = h("button", { type: "button", "aria-pressed": "false", click: () => (waiting ? resume() : hold()) }, "Pause");
  const save = h("button", { type: "button", click: () => import("./download.js").then(({ downloadDialog }) => downloadDialog(historyOf(filter, ownAccount()))).catch(failed.show) }, "Download events");

  function show(event, late) {
    list.add(event, late);
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
    const events = waiting;
    waiting = null;
    events.forEach((each) => show(...each));
    pause.setAttribute("aria-pressed", "false");
    say(pause, "Pause");
    describe("");
  }
  function arrived(event) {
    const late = latency(event, now());
    measured.add(late);
    if (!passes(event, filter)) return;
    if (!waiting) return show(event, late);
    waiting.push([event, late]);
    if (waiting.length > SHOWN) waiting.shift();
    describe(`Paused. ${waiting.length} new ${waiting.length === 1 ? "event" : "events"}.`);
  }
  function begin() {
    stopFollowing();
    stopFollowing = headrace.follow({
      async load() {
        const { items, position, searched } = await latest(filter);
        failed.clear();
        list.load(items);
        if (searched) describe(`This transaction is not among the latest ${searched} events.`, true);
        else if (!list.size) describe("No events yet. Events appear here as they happen.", true);
        else if (!waiting) describe("");
        return position;
      },
      apply: arrived,
      failed: (error) => { list.load([]); describe(""); failed.show(error); },
    });
  }
  begin();
  return {
    title: "Live",
    node: h("section", {},
      h("div", { class: "head" }, h("h1", { tabindex: -1 }, "Live"), h("div", { class: "buttons" }, pause, save)),
      measured.node,
      controls(filter, (changed) => { filter = changed; remember("live", filter); begin(); }),
      said, failed.node, list.node),
    stop: () => { stopFollowing(); measured.stop(); },
  };
}
