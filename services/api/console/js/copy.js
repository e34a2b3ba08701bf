/** A button that copies a text. */

import { h, say } from "./dom.js";

const SHOWN = 2_000; // milliseconds for which the button says that it has copied

/** Copy without the clipboard's interface, which browsers offer only to secure pages. */
function copyBySelection(text, near) {
  const field = h("textarea", { readonly: true, class: "off", tabindex: -1 });
  field.value = text;
  near.append(field); // inside of a dialog, a field outside could not be selected
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("refused");
}

/** A button for `text`. `what` completes "Copy …" for screen readers. */
export function copyButton(text, what, words = "Copy") {
  const said = h("span", { class: "off", role: "status" });
  const button = h("button", { type: "button", class: "quiet small", "aria-label": `${words} ${what}`, click: copy }, words);
  const node = h("span", { class: "copy" }, button, said);
  async function copy() {
    try {
      if (navigator.clipboard) await navigator.clipboard.writeText(text);
      else copyBySelection(text, node);
      show("Copied", `Copied ${what}.`);
    } catch {
      show("Not copied", "The browser does not allow to copy. Select the text instead.");
    }
    button.focus();
  }
  function show(brief, sentence) {
    say(button, brief);
    say(said, sentence);
    setTimeout(() => { say(button, words); say(said, ""); }, SHOWN);
  }
  return node;
}
