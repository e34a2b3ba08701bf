/** The dialogs of webhooks: make and change one, see a secret once, deliver again, and questions before a change. */

import { patch, post, unique } from "./api.js";
import { copyButton } from "./copy.js";
import { text } from "./create.js";
import { field, h, isOff, say, switchOff } from "./dom.js";
import { sentenceOf } from "./failure.js";
import { moment } from "./times.js";
import { changesOf, formOf } from "./webhook_form.js";
import { PATH } from "./webhooks.js";

const POSITION = { pattern: "[0-9]{1,20}-[0-9]{1,20}", title: "A position, such as 16010972359577600-1." };
const STALE = "This webhook was changed after you opened this dialog: by somebody else, or by you if an answer was lost. Close the dialog, read the webhook, and change it again if needed.";

let titles = 0;

/** Show a dialog with a title, a content and buttons. */
function show(words, content, ...buttons) {
  const title = h("h2", { id: `webhook-title-${++titles}` }, words);
  const dialog = h("dialog", { "aria-labelledby": title.id, close: () => dialog.remove() }, title, ...content,
    h("div", { class: "buttons" }, ...buttons));
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** A form in a dialog. `act` sends it; the dialog closes if that does not fail. */
function ask(words, send, fields, act) {
  const said = h("p", { class: "bad", role: "alert" });
  const clear = () => say(said, ""); // a fault that the reader corrects is no fault any more
  const form = h("form", { id: `webhook-form-${++titles}`, input: clear, submit: async (event) => {
    event.preventDefault();
    if (isOff(button)) return; // a second press before the answer would be a second request
    clear();
    switchOff(button, true);
    try {
      const answer = await act();
      dialog.close();
      answer?.();
    } catch (error) {
      say(said, sentenceOf(error));
    }
    switchOff(button, false);
  } }, ...fields, said);
  const button = h("button", { type: "submit", class: send.kind ?? "main", form: form.id }, send.words);
  const dialog = show(words, [form],
    h("button", { type: "button", class: "quiet", click: () => dialog.close() }, "Cancel"),
    button);
}

/**
 * Show a secret. It cannot be read again, so only the button closes the dialog: Escape does not.
 * `done` is called when the dialog closes.
 */
export function secretDialog({ secret, oldSecretExpiresAt }, done) {
  const dialog = show("The secret", [
    h("p", {}, "With this secret your receiver checks that a delivery is from Headrace. It is shown only now. Keep it like a password."),
    h("p", { class: "secret" }, h("code", {}, secret), copyButton(secret, "the secret")),
    oldSecretExpiresAt && h("p", {}, "The old secret signs too, until ", moment(oldSecretExpiresAt, true), ". Change the secret of your receiver before."),
  ].filter(Boolean), h("button", { type: "button", class: "main", click: () => dialog.close() }, "I have it"));
  dialog.setAttribute("closedby", "none");
  dialog.addEventListener("cancel", (event) => event.preventDefault()); // a browser that does not know closedby
  dialog.addEventListener("close", done);
}

/** Ask for the fields of a webhook, make it, show its secret, and then its view. */
export function createDialog() {
  const form = formOf();
  const keys = new Map(); // the same body gets the same key: a second press makes no second webhook
  function keyFor(body) {
    const same = JSON.stringify(body);
    if (!keys.has(same)) keys.set(same, unique());
    return { "Idempotency-Key": keys.get(same) };
  }
  ask("New webhook", { words: "Make the webhook" }, form.fields, async () => {
    const body = form.body();
    const made = await post(PATH, body, keyFor(body));
    return () => secretDialog(made, () => { location.hash = `#/webhooks/${made.id}`; });
  });
}

/** Ask what to change, and send only that. `read` reads the webhook again for the view. */
export function changeDialog({ id, version, ...webhook }, done, read) {
  const form = formOf(webhook);
  const before = form.body();
  ask("Change this webhook", { words: "Change it" }, form.fields, async () => {
    const changes = changesOf(before, form.body());
    if (!Object.keys(changes).length) throw new Error("Nothing is different yet. Change a field, or cancel.");
    try {
      await patch(`${PATH}/${id}`, changes, { "If-Match": `"${version}"` });
    } catch (error) {
      if (error.status !== 412) throw error;
      read();
      throw new Error(STALE);
    }
    return done;
  });
}

/** Ask from where to where events are to be delivered again. */
export function redeliverDialog({ id }, done) {
  const from = text({ ...POSITION, required: true });
  const to = text(POSITION);
  ask("Deliver events again", { words: "Deliver again" }, [
    h("p", {}, "These events come beside the new ones, with the same ids."),
    field("From", from, "Position of the first event, as the field “Position” of an event shows it."),
    field("To", to, "Optional. Position of the last event. An empty field means the newest event."),
  ], async () => {
    await post(`${PATH}/${id}/redeliver`, { from: from.value.trim(), ...(to.value.trim() && { to: to.value.trim() }) });
    return done;
  });
}

/** Ask for how long the old secret is to sign, and show the new one. */
export function rotateDialog({ id }, done) {
  const hours = h("input", { type: "number", min: 0, max: 168, value: 24, required: true });
  ask("Make a new secret?", { words: "New secret" }, [
    field("Hours", hours, "For so long the old secret signs too. Choose 0 if somebody else has seen it."),
  ], async () => {
    const made = await post(`${PATH}/${id}/rotate-secret`, { seconds: Number(hours.value) * 3600 });
    return () => secretDialog(made, done);
  });
}

/** Ask whether to delete a webhook. `act` deletes it. */
export function deleteDialog({ url }, act) {
  ask("Delete this webhook?", { words: "Delete it", kind: "danger" }, [
    h("p", { class: "address" }, h("code", {}, url)),
    h("p", {}, "It gets no more events. Its secret and its last deliveries are forgotten. This cannot be undone."),
  ], act);
}
