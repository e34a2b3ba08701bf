/**
 * Amounts in the page. Each is a <data> element. Its `value` is the exact number of base units. Its
 * text is in tokens or in base units, as the reader has chosen. The text is drawn again when a token
 * becomes known, and when the reader changes this choice.
 */

import { h } from "./dom.js";
import { short } from "./format.js";
import { reader } from "./numbers.js";
import { decimalsOf, called, readable } from "./units.js";
import { inBaseUnits, onTokens, tokenOf } from "./tokens.js";

/** The decimals in which amounts of the token are shown; null for base units. */
export const shownDecimals = (address) => (inBaseUnits() ? null : decimalsOf(tokenOf(address)));

/** An amount as text, without its unit. `decimals`: cut it to this number of decimals. */
export const numberOf = (raw, address, decimals = null) => reader.format(raw, shownDecimals(address) ?? 0, decimals);

/** The exact number of base units, for titles. It has plain digits, so that it can be copied. */
export const rawText = (raw) => `${raw} ${BigInt(raw) === 1n ? "base unit" : "base units"}`;

/** {word, where, about} of the unit in which amounts of the token are shown. */
function unitOf(address, raw) {
  const token = tokenOf(address);
  const name = address ? called(token, address) : { about: "The token of this amount is not known." };
  if (shownDecimals(address) !== null) return name;
  return { word: raw === "1" ? "base unit" : "base units", where: address && short(address), about: name.about };
}

/** An amount with its unit as plain text, for labels that cannot contain elements. */
export const amountText = (raw, address) => `${numberOf(raw, address)} ${unitOf(address, String(raw)).word}`;

/** The name as nodes. <bdi>: a stranger's symbol must not reorder the text around it. */
const nameNode = ({ word, where, about }, brief) =>
  h("span", { class: "unit", title: about }, h("bdi", {}, word), where && !brief && ` (${where})`);

const DRAW = {
  amount: ({ value, address, brief }) => [numberOf(value, address), " ", nameNode(unitOf(address, value), brief)],
  rate({ value, address, brief }) {
    const [flow, period] = readable(value, shownDecimals(address));
    return [numberOf(flow, address), " ", nameNode(unitOf(address, String(flow)), brief), ` ${period}`];
  },
  unit: ({ address, brief }) => [nameNode(unitOf(address), brief)],
  name: ({ address }) => [nameNode(called(tokenOf(address), address), false)],
  about: ({ address }) => [aboutText(tokenOf(address), address)],
};

/** A description of a token in sentences, for readers who cannot see a title with a pointer. */
function aboutText(token, address) {
  const decimals = decimalsOf(token);
  const known = decimals === null ? "Its decimals are not known, so its amounts are in base units." : `Decimals: ${decimals}.`;
  return `${called(token, address).about} ${known}`;
}

function draw(node) {
  const { kind, token: address, brief } = node.dataset;
  node.replaceChildren(...DRAW[kind]({ value: node.value, address, brief: brief !== undefined }));
}

function made(kind, address, brief, more = {}) {
  const node = h(more.value ? "data" : "span", { "data-kind": kind, "data-token": address ?? "", "data-brief": brief, ...more });
  draw(node);
  return node;
}

/** An amount. `brief`: without the short address of the token, because it is shown nearby. */
export const amount = (raw, address, { brief = false } = {}) =>
  made("amount", address, brief, { class: "amount", value: String(BigInt(raw)), title: rawText(raw) });

/** A rate in base units a second, shown for a period in which it is easy to read. */
export const rate = (raw, address, { brief = false } = {}) =>
  made("rate", address, brief, { class: "amount", value: String(BigInt(raw)), title: `${rawText(raw)} a second` });

/** The unit beside a number that a counter shows. */
export const unit = (address, { brief = false } = {}) => made("unit", address, brief);

/** The name of a token. */
export const tokenName = (address) => made("name", address, false);

/** Sentences about a token: its name, its address, what is proved, its decimals. */
export const aboutToken = (address) => made("about", address, false);

/** Draw all amounts below `root` again. */
export const redraw = (root = document) => root.querySelectorAll("[data-token]").forEach(draw);

onTokens(() => redraw());
