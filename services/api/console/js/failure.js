/** Errors of the API in the page. An error is an alert with a button that tries again. */

import { h, replaceContent } from "./dom.js";

/** A sentence for an error. Without a response, the browser's message says nothing to the reader. */
export const sentenceOf = (error) => (error.status === undefined && error instanceof TypeError
  ? `The API does not answer (${error.message}).` : error.message);

/**
 * The place of a view where an error is shown: {node, show(error), clear()}. `again` is called when the
 * reader tries again.
 */
export function failurePlace(again) {
  const node = h("div");
  return {
    node,
    clear() { if (node.firstChild) replaceContent(node); },
    show(error) {
      const words = sentenceOf(error);
      if (node.firstChild?.dataset.words === words) return; // an alert that is repeated would be read again
      replaceContent(node, h("div", { class: "failure", role: "alert", "data-words": words },
        h("p", {}, words), h("button", { type: "button", click: again }, "Try again")));
    },
  };
}
