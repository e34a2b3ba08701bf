/** Links to a block explorer. The API names it (EXPLORER_URL); a simulated network has none. */

import { h } from "./dom.js";

let base = "";

/** Use the explorer of the API's answer; null for none. */
export const useExplorer = (url) => { base = url ?? ""; };

/** A link to `kind` (ledger, tx, account, contract) `id` at the explorer; null without an explorer. */
export const explorerLink = (kind, id) => base &&
  h("a", { class: "explorer", href: `${base}/${kind}/${encodeURIComponent(id)}`, target: "_blank", rel: "noreferrer", title: `${kind} ${id}` }, "Explorer");

/** The kind of an address at the explorer. */
export const kindOf = (address) => (address.startsWith("C") ? "contract" : "account");
