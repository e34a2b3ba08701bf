/** The buttons that change a stream; for a stream that cannot be changed, the reason. */

import { amountField } from "./amount_field.js";
import { post, streamPath } from "./api.js";
import { h, isOff, keepFocus, switchOff } from "./dom.js";
import { sentenceOf } from "./failure.js";
import { isOver } from "./money.js";

const FUNCTIONS = "create_stream, withdraw, top_up_stream, pause_stream, resume_stream, cancel_stream";

/** {node, update()}: the actions on `stream()`. Call `update` after each change of the stream. */
export function actions(stream) {
  const said = h("p", { class: "bad", role: "alert" });
  const act = async (button, name, body) => {
    if (isOff(button)) return;
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
    cancel: h("button", { type: "button", class: "danger", click: () => confirmCancel(() => act(buttons.cancel, "cancel")) }, "Cancel stream"),
    topUp: h("button", { type: "submit" }, "Top up"),
  };
  const more = amountField("Amount to add", () => stream().tokenAddress);
  const topUp = h("form", { class: "inline", submit: async (event) => {
    event.preventDefault();
    await act(buttons.topUp, "top-up", () => ({ amount: more.read() }));
    if (!said.textContent) more.clear();
  } }, more.node, buttons.topUp);
  const own = h("div", { class: "actions", role: "group", "aria-label": "Actions" },
    buttons.withdraw, buttons.pause, buttons.resume, buttons.cancel, topUp);
  const foreign = h("p", { class: "quiet-text" }, `This stream is on the chain. Only its parties can move its money, by calling functions of the contract (${FUNCTIONS}).`);
  const over = h("p", { class: "quiet-text" }, "This stream has ended. Its money does not move any more.");
  const node = h("div", {}, own, foreign, over, said);

  function update() {
    const { status, origin } = stream();
    const ended = isOver(stream());
    keepFocus(own, () => {
      foreign.hidden = origin !== "chain" || ended;
      over.hidden = !ended;
      own.hidden = origin === "chain" || ended;
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
