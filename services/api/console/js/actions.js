/**
 * The buttons that change a stream. For a stream of the API they call the API. For a stream on the chain
 * they open a dialog in which a wallet signs a transaction.
 */

import { amountField } from "./amount_field.js";
import { post, streamPath } from "./api.js";
import { h, isOff, keepFocus, switchOff } from "./dom.js";
import { sentenceOf } from "./failure.js";
import { isOver } from "./money.js";

const isOnChain = ({ origin }) => origin === "chain";

/** The request of POST /v1/transactions. The party that must agree is the source. */
const requestFor = ({ id, sender, recipient }, action, more) =>
  ({ action, source: action === "withdraw" ? recipient : sender, streamId: id, ...more });

/**
 * {node, update()}: the actions on `stream()`. Call `update` after each change of the stream. `context` is
 * that of the view.
 */
export function actions(stream, context) {
  const said = h("p", { class: "bad", role: "alert" });
  const onChain = async (action, more, done) => {
    said.textContent = "";
    try {
      const { transact } = await import("./transact.js");
      transact(requestFor(stream(), action, more?.()), stream(), context, done);
    } catch (error) {
      said.textContent = sentenceOf(error);
    }
  };
  const act = async (button, name, body) => {
    if (isOff(button)) return;
    if (isOnChain(stream())) return onChain(name);
    said.textContent = "";
    for (const each of Object.values(buttons)) switchOff(each, true);
    try {
      await post(streamPath(stream().id, name), body?.());
    } catch (error) {
      said.textContent = sentenceOf(error);
    }
    update();
  };
  const button = (name, words, kind = "") => h("button", { type: "button", class: kind, click: () => act(buttons[name], name) }, words);
  const buttons = {
    withdraw: button("withdraw", "Withdraw", "main"),
    pause: button("pause", "Pause"),
    resume: button("resume", "Resume"),
    cancel: h("button", { type: "button", class: "danger", click: () => (isOnChain(stream()) ? onChain("cancel") : confirmCancel(() => act(buttons.cancel, "cancel"))) }, "Cancel stream"),
    topUp: h("button", { type: "submit" }, "Top up"),
  };
  const more = amountField("Amount to add", () => stream().tokenAddress);
  const topUp = h("form", { class: "inline", submit: async (event) => {
    event.preventDefault();
    if (isOnChain(stream())) return onChain("top_up", () => ({ amount: more.read() }), more.clear);
    await act(buttons.topUp, "top-up", () => ({ amount: more.read() }));
    if (!said.textContent) more.clear();
  } }, more.node, buttons.topUp);
  const own = h("div", { class: "actions", role: "group", "aria-label": "Actions" },
    buttons.withdraw, buttons.pause, buttons.resume, buttons.cancel, topUp);
  const foreign = h("p", { class: "quiet-text" }, "This stream is on the chain. A wallet signs each change, and the dialog says before what it will sign.");
  const over = h("p", { class: "quiet-text" }, "This stream has ended. Its money does not move any more.");
  const node = h("div", {}, own, foreign, over, said);

  function update() {
    const { status } = stream();
    const ended = isOver(stream());
    keepFocus(own, () => {
      foreign.hidden = !isOnChain(stream()) || ended;
      over.hidden = !ended;
      own.hidden = ended;
      buttons.pause.hidden = status !== "active";
      buttons.resume.hidden = status !== "paused";
    }, () => (status === "paused" ? buttons.resume : buttons.pause));
    for (const each of Object.values(buttons)) switchOff(each, each === buttons.withdraw && status === "paused");
  }
  update();
  return { node, update };
}

function confirmCancel(go) {
  const title = h("h2", { id: "cancel-title" }, "Cancel this stream?");
  const dialog = h("dialog", { "aria-labelledby": title.id, close: () => dialog.remove() },
    title,
    h("p", {}, "The recipient gets what has accrued, and the sender gets the rest back. This cannot be undone."),
    h("div", { class: "buttons" },
      h("button", { type: "button", class: "quiet", click: () => dialog.close() }, "Keep it"),
      h("button", { type: "button", class: "danger", click: () => { dialog.close(); go(); } }, "Cancel it")));
  document.body.append(dialog);
  dialog.showModal();
}
