/** Addresses in the page: short or whole, by the reader's name, with links and a button that copies. */

import { nameFor, onNames } from "./book.js";
import { copyButton } from "./copy.js";
import { h, say } from "./dom.js";
import { explorerLink, kindOf } from "./explorer.js";
import { short } from "./format.js";

/** An address by the reader's name for it, else in its short form. The title is the whole address. */
export function party(address) {
  const node = h("bdi", { class: "party", "data-party": address ?? "", title: address });
  draw(node);
  return node;
}

function draw(node) {
  const { party: address } = node.dataset;
  const name = nameFor(address);
  node.classList.toggle("named", Boolean(name));
  say(node, name || (node.dataset.whole === undefined ? short(address) : ""));
}

/** A whole address that links to its account, after the reader's name for it, with a copy button. */
export const account = (address, what = "the address") => h("span", { class: "address" },
  named(address), h("a", { href: `#/account/${address}` }, h("code", {}, address)), copyButton(address, what), explorerLink(kindOf(address), address));

/** A whole address that is no account here, such as that of a contract. */
export const contract = (address, what = "the address of the contract") => h("span", { class: "address" },
  named(address), h("code", {}, address), copyButton(address, what), explorerLink("contract", address));

/** The reader's name for an address that stands beside it; empty without a name. */
function named(address) {
  const node = h("bdi", { class: "party", "data-party": address, "data-whole": true });
  draw(node);
  return node;
}

onNames(() => document.querySelectorAll("[data-party]").forEach(draw));
