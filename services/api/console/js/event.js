/** The view of one event: its fields, what is proved, the stream before and after it, and its JSON. */

import { account, contract } from "./address.js";
import { aboutToken, amount, rate } from "./amounts.js";
import { get, streamPath } from "./api.js";
import { copyButton } from "./copy.js";
import { h, replaceContent } from "./dom.js";
import { factsOf, nameOf } from "./events.js";
import { explorerLink } from "./explorer.js";
import { failurePlace } from "./failure.js";
import { streamName } from "./format.js";
import { everything } from "./scope.js";
import { comparison } from "./stream_change.js";
import { moment } from "./times.js";

const LARGEST = "18446744073709551615"; // the largest second part of a position
const EARLIER = 20; // events that are read to find the stream's state before the event

/** The position just before another one. Both parts can exceed 2^53. Pure. */
export function justBefore(position) {
  const [first, second] = position.split("-").map(BigInt);
  return second > 0n ? `${first}-${second - 1n}` : `${first > 0n ? first - 1n : 0n}-${first > 0n ? LARGEST : 0}`;
}

/** What is proved about an event, and how. Pure. */
export function proofOf({ origin, verified, type }) {
  if (origin !== "chain") {
    if (type === "webhook.disabled") return "Not an event of the chain. Headrace made it when it stopped to deliver events to a webhook.";
    return type === "stream.running_low" || type === "stream.depleted"
      ? "Not an event of the chain. Headrace computed it from the stream's rate and deposit."
      : "Not an event of the chain. It was made through the API, and nothing on the chain proves it.";
  }
  if (verified) {
    return "Proved. Headrace computed the hash of the transaction's events, and it equals the hash in the transaction's result. Validators sign results; Headrace does not check their signatures.";
  }
  return verified === null
    ? "Not proved. The result of this transaction has no hash to compare with, for example because it is a classic payment. Headrace trusts the server from which it reads."
    : "The proof has failed. The hash of the transaction's events differs from the hash in the transaction's result. The server from which Headrace reads may be wrong.";
}

const AMOUNTS = /(^a|A)mount|^totalWithdrawn$/;
const TIMES = new Set(["startTime", "newEndTime", "pausedAt", "endsAt", "since"]);
const ADDRESS = /^[GCM][A-Z2-7]{55,68}$/;
const SHOWN = new Set(["id", "type", "timestamp", "streamId", "tokenAddress", "origin", "contractId", "ledger", "ledgerClosedAt", "txHash", "verified", "publishedAt", "stream"]);

/** The value of a field that depends on the type of the event. */
function valueOf(name, value, token) {
  if (value === null) return "none";
  if (AMOUNTS.test(name) && /^-?\d+$/.test(value)) return amount(value, token, { brief: true });
  if (/atePerSecond$/.test(name) && /^\d+$/.test(value)) return rate(value, token, { brief: true });
  if (TIMES.has(name) && Number.isInteger(value)) return moment(value, true);
  if (ADDRESS.test(value)) return account(value, name);
  return typeof value === "object" ? h("code", {}, JSON.stringify(value)) : String(value);
}

/** "oldRecipient" → "Old recipient". Pure. */
export const wordsOf = (name) =>
  name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replace(/^./, (letter) => letter.toUpperCase());

function fields(event) {
  const token = event.tokenAddress ?? event.stream?.tokenAddress;
  const happened = factsOf(event, true);
  const rest = Object.entries(event).filter(([name]) => !SHOWN.has(name));
  const id = (value, what) => h("span", { class: "address" }, h("code", {}, value), copyButton(value, what));
  return [
    happened.length && ["What happened", happened],
    ["Time", moment(event.timestamp, true)],
    event.streamId && ["Stream", h("span", { class: "address" }, h("a", { dir: "auto", href: `#/streams/${event.streamId}` }, event.stream?.metadata?.label || streamName(event.streamId)), " ", h("code", {}, event.streamId), copyButton(event.streamId, "the id of the stream"))],
    ...rest.map(([name, value]) => [wordsOf(name), valueOf(name, value, token)]),
    token && ["Token", h("span", { class: "address" }, aboutToken(token), copyButton(token, "the token's address"), explorerLink("contract", token))],
    event.ledger && ["Ledger", h("span", { class: "address" }, String(event.ledger), event.ledgerClosedAt && [", closed ", moment(Date.parse(event.ledgerClosedAt) / 1000, true)], explorerLink("ledger", event.ledger))],
    event.txHash && ["Transaction", h("span", { class: "address" }, h("a", { href: `#/live?tx=${event.txHash}`, title: "All events of this transaction" }, h("code", {}, event.txHash)), copyButton(event.txHash, "the transaction's hash"), explorerLink("tx", event.txHash))],
    event.contractId && ["Contract", contract(event.contractId)],
    ["Published", moment(event.publishedAt / 1e6, true)],
    ["Position", id(event.id, "the position")],
    ["Type", h("code", {}, event.type)],
    ["Proof", proofOf(event)],
  ].filter(Boolean).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
}

async function read(position) {
  const page = await get("/v1/events", { ...everything(), after: justBefore(position), order: "asc", limit: 1 });
  const [event] = page.items;
  if (event?.id !== position) return { gap: page.gap };
  return { event, before: event.stream ? await stateBefore(event) : null };
}

/** The stream after its previous event; null if the API has none, or if the user may not see it any more. */
async function stateBefore({ id, streamId }) {
  try {
    const { items } = await get(streamPath(streamId, "events"), { before: id, limit: EARLIER });
    return items.find((each) => each.streamId === streamId && each.stream)?.stream ?? null;
  } catch (error) {
    if (error.status === 403) return null;
    throw error;
  }
}

function content(event, before) {
  const json = JSON.stringify(event, null, 2);
  const [words] = nameOf(event.type);
  return [
    h("div", { class: "head" }, h("h1", { tabindex: -1 }, "Event: ", words),
      h("a", { class: "button", href: `#/replay/${event.id}` }, "Replay from here")),
    h("dl", { class: "details card" }, ...fields(event)),
    event.stream && [h("h2", {}, "The stream before and after"), comparison(before, event.stream, event.type === "stream.created")],
    h("div", { class: "head" }, h("h2", {}, "JSON"), copyButton(json, "the event as JSON", "Copy")),
    h("pre", { class: "card", tabindex: 0, role: "group", "aria-label": "The event as JSON" }, json),
  ].flat().filter(Boolean);
}

/** The view. */
export function event({ parts: [, position] }) {
  const node = h("section", { class: "event-view" }, h("h1", { tabindex: -1 }, "Event"), h("p", { class: "quiet-text", role: "status" }, "Loading …"));
  const heading = () => h("h1", { tabindex: -1 }, "Event");
  const failed = failurePlace(load);
  async function load() {
    failed.clear();
    try {
      const { event: found, before, gap } = await read(position);
      const why = `There is no event at this position that you may see.${gap ? " It may have been removed: old events are not kept." : ""}`;
      replaceContent(node, ...(found ? content(found, before) : [heading(), h("p", { role: "status" }, why), h("p", {}, h("a", { href: "#/live" }, "Live events"))]));
      node.dataset.ready = position;
    } catch (error) {
      replaceContent(node, heading(), failed.node);
      failed.show(error);
    }
  }
  if (/^\d{1,20}-\d{1,20}$/.test(position ?? "")) load();
  else replaceContent(node, heading(), h("p", { role: "status" }, "The address has no position of an event, such as 16010972359577600-1."));
  return { title: "Event", node };
}
