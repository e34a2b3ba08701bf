/** The redeliveries of a webhook that have not ended, each with a button that stops it. */

import { h, keepFocus, say } from "./dom.js";

/** A line: {node, show(redelivery)}. What is left begins later after each delivery. */
function lineOf({ id }, stop) {
  const from = h("code");
  const to = h("code");
  const node = h("li", { class: "card", "data-id": id },
    h("p", {}, "From ", from, " to ", to, h("small", {}, "Id ", h("code", {}, id))),
    h("button", { type: "button", "aria-label": `Stop the redelivery ${id}`, click: stop(id) }, "Stop"));
  return { node, show: (redelivery) => { say(from, redelivery.from); say(to, redelivery.to); } };
}

/** {node, update(redeliveries)}. `stop(id)` makes the handler of a button. */
export function redeliveriesOf(stop) {
  const lines = new Map();
  const list = h("ul", { class: "redeliveries", "aria-label": "Redeliveries" });
  const node = h("div", { hidden: true },
    h("h2", {}, "Redeliveries"),
    h("p", { class: "quiet-text" }, "These events are still to be delivered again, from the first to the last position."), list);
  let shown = "";

  function update(redeliveries) {
    for (const each of redeliveries) {
      if (!lines.has(each.id)) lines.set(each.id, lineOf(each, stop));
      lines.get(each.id).show(each);
    }
    const ids = redeliveries.map(({ id }) => id);
    if (ids.join() === shown) return; // the same lines stay, and with them the focus
    shown = ids.join();
    keepFocus(node, () => {
      list.replaceChildren(...ids.map((id) => lines.get(id).node));
      node.hidden = !ids.length;
    }, () => list.querySelector("button"));
  }
  return { node, update };
}
