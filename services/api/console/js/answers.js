/** The buttons with which a recipient accepts or hides a stream. */

import { post, streamPath } from "./api.js";
import { h, keepFocus } from "./dom.js";
import { sentenceOf } from "./failure.js";
import { session } from "./session.js";

/** True if the user may answer for the stream's recipient. */
const mayAnswer = ({ sender, recipient }) =>
  sender !== recipient && (session.isAdmin || session.account === recipient);

/** The buttons for `stream()`: {node, update()}. Call `update` after each change of the stream. */
export function answers(stream) {
  const said = h("span", { class: "bad", role: "alert" });
  const act = (name) => async () => {
    said.textContent = "";
    await post(streamPath(stream().id, name)).catch((error) => { said.textContent = sentenceOf(error); });
  };
  const button = (name, words) => h("button", { type: "button", click: act(name) }, words);
  const [accept, hide] = [button("accept", "Accept"), button("hide", "Hide")];
  const node = h("div", { class: "answers", role: "group", "aria-label": "Answer" }, accept, hide, said);
  function update() {
    const { acceptance } = stream();
    keepFocus(node, () => {
      node.hidden = !mayAnswer(stream());
      accept.hidden = acceptance === "accepted";
      hide.hidden = acceptance === "hidden";
    }, () => (accept.hidden ? hide : accept));
  }
  update();
  return { node, update };
}
