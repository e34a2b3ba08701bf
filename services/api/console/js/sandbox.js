/**
 * The view Sandbox, which `make run` alone offers: buttons that make the system misbehave, and a check that
 * no event was missed and none came twice. See docs/decisions/0112-sandbox-belongs-to-the-runner.md.
 */

import { comparePositions, EVENT_TYPES } from "../headrace/headrace.js";
import { get, post } from "./api.js";
import { now } from "./clock.js";
import { h, say } from "./dom.js";
import { EventList } from "./event_list.js";
import { latency } from "./events.js";
import { failurePlace } from "./failure.js";
import { empty } from "./router.js";

const PATH = "/sandbox";
const SHOWN = 20; // rows
const WAIT = 30_000; // milliseconds in which missing events may still arrive
const LARGE = 500; // events of a page of the history

/** The words of each fault: its button, what it does, and what should be seen. */
const FAULTS = {
  cut: ["Cut the connections of a fanout", "Kills the fanout to which this list is connected: the list reconnects at the other fanout and continues after its last event."],
  lose: ["Lose messages", "Ends the fanouts' subscriptions in Redis for 5 seconds: messages get lost, events come late, and the fanouts read them from the journal; the list stays connected."],
  repeat: ["Repeat messages", "Publishes each message to the fanouts a second time, for 8 seconds: the fanouts drop what they have sent already."],
  pause: ["Pause the ledger", "Lets the simulated network close no ledger for 10 seconds: no event of the chain arrives, then they continue."],
};

/** The ids of stored events that were not received, of events received twice, and of received events that are not stored. Pure. */
export function compare(received, stored) {
  const [had, known, last] = [new Set(), new Set(stored), stored.at(-1)];
  const twice = received.filter((id) => had.has(id) || !had.add(id));
  const foreign = received.filter((id) => last && comparePositions(id, last) <= 0 && !known.has(id));
  return { missed: stored.filter((id) => !had.has(id)), twice, foreign };
}

/** What a plain EventSource receives. Nothing is corrected: an event that comes twice is recorded twice. */
class Recording {
  ids = [];
  start = null;
  position = null;
  clientId = null;
  connections = 0;
  #source; #timer; #event; #changed;

  /** `event` is called with each event, `changed` after each frame and each lost connection. */
  constructor(event, changed) {
    this.#event = event;
    this.#changed = changed;
    this.#open();
  }

  get reconnects() { return Math.max(0, this.connections - 1); }

  close() {
    clearTimeout(this.#timer);
    this.#source.close();
  }

  #open() {
    const resume = this.position ? { last_event_id: this.position } : {};
    const source = new EventSource(`/v1/events/subscribe?${new URLSearchParams({ all: "true", ...resume })}`);
    this.#source = source;
    source.onmessage = ({ data, lastEventId }) => { // the first frame of each connection
      this.start ??= lastEventId;
      this.clientId = JSON.parse(data).clientId;
      this.connections++;
      this.#moved(lastEventId);
    };
    source.addEventListener("sync", ({ lastEventId }) => this.#moved(lastEventId));
    for (const type of EVENT_TYPES) source.addEventListener(type, (frame) => this.#received(frame));
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) this.#timer = setTimeout(() => this.#open(), 1000); // the browser gave up
      this.#changed();
    };
  }

  #received({ data, lastEventId }) {
    this.ids.push(lastEventId);
    this.#event(JSON.parse(data));
    this.#moved(lastEventId);
  }

  #moved(position) {
    this.position = position;
    this.#changed();
  }
}

/** The ids of the events that the history has after a position. */
async function history(start) {
  const ids = [];
  for (let after = start; after;) {
    const { items, next, gap } = await get("/v1/events", { all: "true", order: "asc", limit: LARGE, after });
    if (gap) throw new Error("Some events since this view was opened are not stored any more. Load the page again.");
    ids.push(...items.filter(({ type }) => EVENT_TYPES.includes(type)).map(({ id }) => id));
    after = next;
  }
  return ids;
}

/** The port of the fanout that has a connection; "" if it is not found. */
async function fanoutOf(clientId) {
  const { items, replicas } = await get("/v1/system/connections");
  const key = items.find(({ id }) => id === clientId)?.replica;
  const place = key && replicas.find(({ replica }) => replica === key)?.url; // 127.0.0.1:3020
  return place?.split(":").at(-1) ?? "";
}

/** Resolves to true when `isTrue()` is true, to false after `WAIT` or when `isGone()`. */
async function until(isTrue, isGone) {
  for (const end = Date.now() + WAIT; Date.now() < end && !isGone(); await new Promise((done) => { setTimeout(done, 100); })) {
    if (isTrue()) return true;
  }
  return isTrue();
}

/** The result of a check in words. Pure. */
export function resultWords({ missed, twice, foreign }, stored) {
  const more = foreign.length ? `, not in the history: ${foreign.length}` : "";
  return `missed: ${missed.length}, twice: ${twice.length}${more} (${stored} events in the history since this view was opened)`;
}

const NAMES = { events: "Events received", position: "Position", reconnects: "Reconnects", result: "Last check" };

/** The view. */
export function sandbox({ hasSandbox }) {
  const heading = h("h1", { tabindex: -1 }, "Sandbox");
  if (!hasSandbox) return { title: "Sandbox", node: h("section", {}, heading, empty("This server has no sandbox. Only `make run` with its simulated network has one.")) };
  let isBusy = false;
  let isGone = false;
  const list = new EventList("Events since this view was opened, newest first", { most: SHOWN });
  const said = h("p", { role: "status" }, "Press a button. Then the page compares its list with the history.");
  const failed = failurePlace(() => act("Check", async () => {}));
  const figures = Object.fromEntries(Object.keys(NAMES).map((name) => [name, h("dd", { "data-figure": name }, "–")]));
  const recording = new Recording((event) => list.add(event, latency(event, now())), draw);
  const buttons = [];

  function draw() {
    say(figures.events, String(recording.ids.length));
    say(figures.position, recording.position ?? "–");
    say(figures.reconnects, String(recording.reconnects));
    for (const button of buttons) button.setAttribute("aria-disabled", isBusy); // `disabled` would take the focus away
  }

  /** Compare the list with the history, when the list has had time to get the newest stored event. */
  async function check() {
    const stored = await history(recording.start);
    const last = stored.at(-1);
    await until(() => !last || comparePositions(recording.position, last) >= 0, () => isGone);
    const result = compare(recording.ids, stored);
    const words = resultWords(result, stored.length);
    figures.result.className = Object.values(result).some(({ length }) => length) ? "bad" : "";
    say(figures.result, `missed: ${result.missed.length}, twice: ${result.twice.length}`);
    return words;
  }

  /** Do some harm, wait until events arrive again, and check the list. One at a time. */
  async function act(title, harm) {
    if (isBusy || !recording.start) return;
    isBusy = true;
    draw();
    failed.clear();
    say(said, `${title}: under way …`);
    try {
      const done = await harm();
      const before = recording.ids.length;
      const isFlowing = await until(() => recording.ids.length > before, () => isGone);
      const silent = isFlowing ? "" : ` No event arrived for ${WAIT / 1000} seconds.`;
      const words = await check();
      say(said, `${[done, silent].filter(Boolean).join("")} ${words}`.trim());
    } catch (error) {
      say(said, `${title}: not done.`);
      failed.show(error);
    }
    isBusy = false;
    draw();
  }

  const harm = async (name) => {
    const port = name === "cut" ? await fanoutOf(recording.clientId) : "";
    return (await post(`${PATH}/${name}${port ? `?fanout=${port}` : ""}`)).done;
  };

  function card(name) {
    const [title, words] = FAULTS[name];
    const about = h("p", { id: `fault-${name}` }, words);
    const button = h("button", { type: "button", class: "danger", "aria-describedby": about.id, click: () => act(title, () => harm(name)) }, title);
    buttons.push(button);
    return h("article", { class: "card" }, button, about);
  }

  const faults = h("div", { class: "parts" });
  const offer = failurePlace(ask);
  async function ask() {
    try {
      const { faults: offered } = await get(PATH);
      faults.replaceChildren(...Object.keys(FAULTS).filter((name) => offered.includes(name)).map(card));
      offer.clear();
    } catch (error) {
      offer.show(error);
    }
  }
  ask();
  draw();
  return {
    title: "Sandbox",
    node: h("section", {}, heading,
      h("p", { class: "quiet-text" }, "Each button makes this system misbehave. The list below is a plain EventSource. After each fault, the page reads the history from the position at which this view was opened, and compares."),
      offer.node, faults, said, failed.node,
      h("div", { class: "card" }, h("dl", { class: "figures" }, ...Object.entries(NAMES).map(([name, words]) => h("div", {}, h("dt", {}, words), figures[name])))),
      list.node),
    stop: () => { isGone = true; recording.close(); },
  };
}
