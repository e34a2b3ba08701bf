/** The view Webhooks: the user's webhooks with their states, and a button that makes one. */

import { get } from "./api.js";
import { h, keepFocus, say } from "./dom.js";
import { failurePlace, sentenceOf } from "./failure.js";
import { short } from "./format.js";
import { empty } from "./router.js";
import { session } from "./session.js";
import { dress } from "./styles.js";
import { moment } from "./times.js";

export const PATH = "/v1/webhooks";
const EVERY = 5_000; // milliseconds between two reads of the first page

const TONES = { active: "active", failing: "held", paused: "quiet", disabled: "over" };
const REASONS = { gone: "the receiver answered 410 Gone", failed: "the receiver failed for too long" };

/** A small label for the state of a webhook. */
export const stateChip = ({ state }) => h("span", { class: "chip", "data-tone": TONES[state] }, state);

/** What the state means, as texts and nodes. */
export function stateWords({ state, failures, failingSince, retryAt, disabledReason, disabledAt }) {
  if (state === "active") return ["Events are delivered."];
  if (state === "paused") return ["Nothing is delivered until you resume it. It goes on where it stopped."];
  if (state === "disabled") return ["Disabled", disabledAt !== null && [" at ", moment(disabledAt, true)], ` because ${REASONS[disabledReason] ?? disabledReason}.`];
  const attempts = `${failures} attempt${failures === 1 ? "" : "s"} failed`;
  return [attempts, failingSince !== null && [" since ", moment(failingSince, true)], retryAt === null ? "." : [". The next one is at ", moment(retryAt, true), "."]];
}

/** What a webhook gets, in words, with at most three topics. Pure. */
export function selection({ all, streams, users, types }) {
  const named = [...users.map((each) => `account ${short(each)}`), ...streams.map((each) => `stream ${each}`)];
  const more = named.length > 3 ? ` and ${named.length - 3} more` : "";
  const topics = all ? "all events" : `${named.slice(0, 3).join(", ")}${more}`;
  return `${topics}${types.length ? `; only ${types.join(", ")}` : ""}`;
}

function row(webhook) {
  const { id, url, description, account } = webhook;
  return h("li", { class: "webhook card", "data-id": id, "data-state": webhook.state },
    h("a", { class: "name", dir: "auto", href: `#/webhooks/${id}` }, description || url),
    stateChip(webhook),
    h("p", { class: "quiet-text" }, description && [h("span", {}, url), h("br")], selection(webhook), account && account !== session.account && `; of ${short(account)}`),
    webhook.state !== "active" && h("p", {}, ...stateWords(webhook).flat(2)));
}

/** The view. */
export function webhooks() {
  dress("webhooks");
  let next = null;
  let ended = false;
  const list = h("ul", { class: "webhooks", "aria-label": "Webhooks" });
  const said = h("p", { class: "quiet-text", role: "status" }, "Loading …");
  const none = empty("You have no webhook. A webhook sends events to a URL of yours, signed and in order.");
  none.hidden = true;
  const failed = failurePlace(() => load());
  const more = h("button", { type: "button", hidden: true, click: () => load(next) }, "More");
  const wrong = h("p", { class: "bad", role: "alert" });

  async function make() {
    say(wrong, "");
    try {
      (await import("./webhook_dialogs.js")).createDialog();
    } catch (error) {
      say(wrong, sentenceOf(error));
    }
  }

  async function load(cursor = null) {
    try {
      const page = await get(PATH, { cursor });
      if (ended) return;
      failed.clear();
      const known = cursor ? [...list.children] : [];
      next = page.next;
      keepFocus(list, () => list.replaceChildren(...known, ...page.items.map(row)));
      more.hidden = !next;
      none.hidden = list.childElementCount > 0;
      say(said, "");
    } catch (error) {
      say(said, "");
      if (!ended) failed.show(error);
    }
  }

  /** Read the states again, while only the first page is shown: more pages would be lost. */
  const timer = setInterval(() => { if (!document.hidden && list.childElementCount <= 50) load(); }, EVERY);
  load();
  return {
    title: "Webhooks",
    node: h("section", {},
      h("div", { class: "head" }, h("h1", { tabindex: -1 }, "Webhooks"), h("button", { type: "button", class: "main", click: make }, "New webhook")),
      wrong, said, failed.node, list, none, more),
    stop: () => { ended = true; clearInterval(timer); },
  };
}
