/** The view of one webhook: its state, its redeliveries, its last deliveries, and the buttons that change it. */

import { account } from "./address.js";
import { get, patch, post, remove } from "./api.js";
import { copyButton } from "./copy.js";
import { h, isOff, keepFocus, replaceContent, say, switchOff } from "./dom.js";
import { failurePlace, sentenceOf } from "./failure.js";
import { dress } from "./styles.js";
import { moment } from "./times.js";
import { redeliveriesOf } from "./webhook_redeliveries.js";
import { PATH, selection, stateChip, stateWords } from "./webhooks.js";

const EVERY = 3_000; // milliseconds between two reads
const COLUMNS = ["Time", "What", "Result", "Took", "Answer"];
const ORDERS = { endpoint: "all events in order", stream: "the events of each stream in order" };

/** What a delivery had, in words. Pure. */
export function contentWords({ kind, events, messageId }) {
  if (kind === "test") return "test";
  const count = events === 0 ? messageId.split("-")[0] : events === 1 ? "1 event" : `${events} events`;
  return kind === "redelivery" ? `${count}, again` : count;
}

/** Seconds that a delivery took, in words. Pure. */
export const tookWords = (seconds) => (seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`);

const cell = (name, ...children) => h("td", { role: "cell", "data-label": name }, ...children);

function attemptRow(attempt) {
  const { at, messageId, seconds, taken, status, answer, error } = attempt;
  return h("tr", { role: "row", "data-id": messageId, "data-taken": taken },
    cell("Time", moment(at, true)),
    cell("What", contentWords(attempt), h("small", {}, h("code", {}, messageId))),
    cell("Result", h("span", { class: "chip", "data-tone": taken ? "active" : "over" }, status ?? "no answer")),
    cell("Took", tookWords(seconds)),
    cell("Answer", error && h("p", { class: "bad" }, error), answer && h("p", {}, h("code", { dir: "auto" }, answer)), !error && !answer && "empty"));
}

function details(webhook) {
  const { id, url, position, oldSecretExpiresAt, batch, order, createdAt } = webhook;
  const copied = (value, what) => h("span", { class: "address" }, h("code", {}, value), copyButton(value, what));
  return [
    ["State", h("span", {}, stateChip(webhook), " ", ...stateWords(webhook).flat(2))],
    ["URL", copied(url, "the URL")],
    webhook.account && ["Account", account(webhook.account, "the account")],
    ["Gets", selection(webhook)],
    ["Delivered", `${batch === 1 ? "one event" : `up to ${batch} events`} at a time, ${ORDERS[order]}`],
    ["Acknowledged up to", position ? copied(position, "the position") : "nothing yet"],
    oldSecretExpiresAt !== null && ["Old secret", h("span", {}, "signs until ", moment(oldSecretExpiresAt, true))],
    ["Made", moment(createdAt, true)],
    ["Id", copied(id, "the id")],
  ].filter(Boolean).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
}

/**
 * The buttons: {node, update(), stop(id)}. `changed` is called after each change. `erase` deletes the
 * webhook. `stop(id)` makes the handler of a button that stops a redelivery.
 */
function buttonsOf(webhook, said, changed, erase) {
  const path = `${PATH}/${webhook().id}`;
  const wrong = h("p", { class: "bad", role: "alert" });
  const act = (words, go) => async ({ currentTarget }) => {
    if (isOff(currentTarget)) return;
    const pressed = new Set([...all, currentTarget]);
    say(wrong, "");
    say(said, "");
    pressed.forEach((each) => switchOff(each, true));
    try {
      await go();
      say(said, words);
    } catch (error) {
      say(wrong, sentenceOf(error));
    }
    pressed.forEach((each) => switchOff(each, false));
    changed();
  };
  const ask = (name, done) => act("", async () => (await import("./webhook_dialogs.js"))[name](webhook(), done, changed));
  const stop = (id) => act("The redelivery was stopped.", () => remove(`${path}/redeliveries/${id}`));
  const told = (words) => () => { say(said, words); changed(); };
  const gone = async () => { await erase(path); return () => { location.hash = "#/webhooks"; }; };
  const button = (words, click, kind = "") => h("button", { type: "button", class: kind, click }, words);
  const again = button("Retry now", act("It delivers again.", () => patch(path, { enabled: true })), "main");
  const pause = button("Pause", act("It is paused.", () => patch(path, { enabled: false })));
  const all = [
    button("Send a test", act("A test was asked for. It appears below when it was sent.", () => post(`${path}/test`))),
    again, pause,
    button("Change", ask("changeDialog", told("It was changed."))),
    button("Deliver again", ask("redeliverDialog", told("The events are delivered again. They appear below."))),
    button("New secret", ask("rotateDialog", told("It has a new secret."))),
    button("Delete", ask("deleteDialog", gone), "danger"),
  ];
  const own = h("div", { class: "actions", role: "group", "aria-label": "Actions" }, ...all);
  function update() {
    const { state, enabled } = webhook();
    keepFocus(own, () => {
      say(again, { paused: "Resume", disabled: "Enable" }[state] ?? "Retry now");
      again.hidden = state === "active";
      pause.hidden = !enabled || state === "disabled";
    }, () => (again.hidden ? pause : again));
  }
  update();
  return { node: h("div", {}, own, wrong), update, stop };
}

/** The view. */
export function webhook({ parts: [, id] }) {
  dress("webhooks");
  let current = null;
  let controls = null;
  let redeliveries = null;
  let ended = false;
  let turn = 0;
  let isDeleting = false;
  let reading = Promise.resolve();
  const said = h("p", { class: "quiet-text", role: "status" }, "Loading …");
  const heading = h("h1", { tabindex: -1, dir: "auto" }, "Webhook");
  const facts = h("dl", { class: "details card" });
  const place = h("div");
  const rows = h("tbody", { role: "rowgroup" });
  const table = h("table", { class: "attempts", role: "table", "aria-label": "Last deliveries" },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...COLUMNS.map((name) => h("th", { role: "columnheader", scope: "col" }, name)))), rows);
  const none = h("p", { class: "quiet-text" }, "Nothing was delivered yet.");
  const again = h("div");
  const content = h("div", { hidden: true }, place, facts, again, h("h2", {}, "Last deliveries"), none, table);
  const failed = failurePlace(() => load());

  async function read() {
    const mine = ++turn;
    try {
      const path = `${PATH}/${encodeURIComponent(id)}`;
      const [found, waiting, { items }] = await Promise.all([get(path), get(`${path}/redeliveries`), get(`${path}/deliveries`)]);
      if (ended || mine !== turn) return;
      failed.clear();
      if (!current) say(said, "");
      draw(found, waiting.items, items);
    } catch (error) {
      if (ended || mine !== turn) return;
      say(said, "");
      failed.show(error);
    }
  }

  function load() {
    if (!isDeleting) reading = Promise.all([reading, read()]).then(() => {}); // keeps no results
  }

  /** Delete the webhook. No read may run then: the browser would log an error for a webhook that is gone. */
  async function erase(path) {
    isDeleting = true;
    try {
      await reading;
      await remove(path);
    } catch (error) {
      isDeleting = false;
      load();
      throw error;
    }
  }

  function draw(found, waiting, items) {
    const isNew = JSON.stringify(found) !== JSON.stringify(current);
    current = found;
    if (!controls) {
      controls = buttonsOf(() => current, said, load, erase);
      redeliveries = redeliveriesOf(controls.stop);
      place.append(controls.node);
      again.append(redeliveries.node);
    }
    redeliveries.update(waiting);
    if (isNew) {
      say(heading, found.description || "Webhook");
      controls.update();
      replaceContent(facts, ...details(found));
    }
    const newest = items.map(({ at, messageId }) => `${at} ${messageId}`).join();
    if (rows.dataset.newest !== newest) rows.replaceChildren(...items.map(attemptRow));
    rows.dataset.newest = newest;
    table.hidden = !items.length;
    none.hidden = items.length > 0;
    content.hidden = false;
  }

  const timer = setInterval(() => { if (!document.hidden) load(); }, EVERY);
  load();
  return {
    title: "Webhook",
    node: h("section", { class: "webhook-view" }, heading, h("p", {}, h("a", { href: "#/webhooks" }, "Webhooks")), said, failed.node, content),
    stop: () => { ended = true; clearInterval(timer); },
  };
}
