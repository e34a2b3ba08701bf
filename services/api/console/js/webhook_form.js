/** The fields of a webhook: one form for the dialog that makes a webhook and the one that changes it. */

import { ACCOUNT, text } from "./create.js";
import { field, h, select } from "./dom.js";
import { short } from "./format.js";
import { session } from "./session.js";

const ORDERS = [["endpoint", "All events in order"], ["stream", "The events of each stream in order"]];
const FILTERS = ["all", "users", "streams"];

/** The words of a text with commas or spaces. Pure. */
export const wordsIn = (text) => [...new Set(text.split(/[\s,]+/).filter(Boolean))];

/** The filters of a request: of "own", "all", or "chosen" accounts and streams. Pure. */
export function filtersOf(kind, chosen) {
  const names = kind === "chosen" ? wordsIn(chosen) : [];
  const users = names.filter((name) => new RegExp(`^${ACCOUNT}$`).test(name));
  return { all: kind === "all", users, streams: names.filter((name) => !users.includes(name)) };
}

/** Which of these kinds a webhook has. Pure. */
export function kindOf({ account, all, users, streams }) {
  if (all) return "all";
  return !streams.length && users.length === 1 && users[0] === account ? "own" : "chosen";
}

/**
 * The fields of the form that differ, for PATCH. The filters are sent together: the API keeps one that
 * is not sent, and the form shows only one kind of them. Pure.
 */
export function changesOf(before, after) {
  const differs = (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]);
  const hasOtherFilters = FILTERS.some(differs);
  return Object.fromEntries(Object.entries(after).filter(([name]) => (FILTERS.includes(name) ? hasOtherFilters : differs(name))));
}

/** [kind, words] of the events that a webhook may get, as far as the page knows. */
function kindsOf(account, all) {
  const own = account && (account === session.account ? "My account" : `The account ${short(account)}`);
  return [own && ["own", own], (session.seesAll || all) && ["all", "All accounts"], ["chosen", "Some accounts and streams"]].filter(Boolean);
}

/** {fields, body()}: the nodes, and the body of POST. Without a webhook: for a new one. */
export function formOf(webhook = null) {
  const { account, all, users, streams, types, ...given } = webhook ??
    { account: session.account, all: false, users: [], streams: [], types: [], url: "", description: "", batch: 1, order: "endpoint" };
  const kinds = kindsOf(account, all);
  const url = h("input", { type: "url", required: true, maxlength: 2048, autocomplete: "off", value: given.url });
  const kind = select({ change: showChosen }, kinds, webhook ? kindOf(webhook) : kinds[0][0]);
  const chosen = text({ list: "book", value: [...users, ...streams].join(", ") });
  const some = field("Accounts and streams", chosen, "Addresses (G…) and ids of streams, separated by commas.");
  const only = text({ placeholder: "stream.created, stream.withdrawn", value: types.join(", ") });
  const description = text({ maxlength: 200, value: given.description });
  const batch = h("input", { type: "number", min: 1, max: 100, value: given.batch, required: true });
  const order = select({}, ORDERS, given.order);
  function showChosen() {
    some.hidden = kind.value !== "chosen";
    chosen.required = !some.hidden; // an empty field would mean the reader's account
  }
  showChosen();
  return {
    fields: [
      field("URL", url, "Where each event is sent with POST. It must be https. The operator can allow http to the server itself."),
      field("Events of", kind), some,
      field("Types", only, "Optional. Separated by commas. An empty field means all types."),
      field("Description", description, "Optional. A text for you."),
      h("div", { class: "pair" }, field("Events in a delivery", batch, "The most: 1 to 100."), field("Order", order)),
    ],
    body: () => ({
      url: url.value.trim(), ...filtersOf(kind.value, chosen.value), types: wordsIn(only.value),
      description: description.value.trim(), batch: Number(batch.value), order: order.value,
    }),
  };
}
