/**
 * What a token is called, and the period in which a rate reads well. Pure.
 *
 * A token is the answer of GET /v1/tokens/{address}. Its `asset` is proved: the contract is the Stellar
 * Asset Contract of this asset. Its `symbol` is not proved: anyone can make a token with the symbol
 * USDC. Such a name is shown in quotation marks, with the contract's address nearby.
 */

import { short } from "./format.js";

const LONGEST = 12; // characters of a symbol; SEP-11 allows 12 for an asset code
const MOST = 38; // with more decimals, even the largest i128 would be below 1
const PERIODS = [[1n, "a second"], [3600n, "an hour"], [86_400n, "a day"], [2_592_000n, "every 30 days"]];
const NATIVE = "native";

/** The decimals of a token; null if they are unknown or make no sense. */
export function decimalsOf(token) {
  const given = token?.decimals;
  return Number.isInteger(given) && given >= 0 && given <= MOST ? given : null;
}

/** An untrusted text without invisible characters, direction marks and quotation marks. May be "". */
function clean(text) {
  const seen = [...String(text ?? "").replace(/[\p{C}\p{Z}\p{Quotation_Mark}"]+/gu, " ").trim()];
  return seen.length > LONGEST ? `${seen.slice(0, LONGEST - 1).join("")}…` : seen.join("");
}

/**
 * {word, where, proved, about}: the token's name, the short address that distinguishes tokens of the
 * same name, and a sentence. Without a name, `word` is the short address and `where` is empty.
 */
export function called(token, address) {
  const [code, issuer] = token?.asset?.split(":") ?? [];
  const contract = `The contract is ${address}.`;
  if (code === NATIVE) return { word: "XLM", where: "", proved: true, about: `The native asset of the network, proved. ${contract}` };
  if (code) return { word: code, where: short(issuer ?? ""), proved: true, about: `The asset ${code} of the issuer ${issuer}, proved. ${contract}` };
  const symbol = clean(token?.symbol);
  if (!symbol) return { word: short(address), where: "", proved: false, about: `A token without a known symbol. ${contract}` };
  const by = token.source === "setting" ? "The operator of this server" : "The contract itself";
  return { word: `“${symbol}”`, where: short(address), proved: false, about: `${by} calls this token “${symbol}”. This is not proved. ${contract}` };
}

/**
 * A rate in base units a second as [base units, words], exactly. The period is the first one in which
 * at least one whole token flows, or else 30 days. Without decimals, it is a second.
 */
export function readable(rate, decimals) {
  const one = 10n ** BigInt(decimals ?? 0);
  const flows = BigInt(rate);
  const [seconds, words] = (flows > 0n && PERIODS.find(([each]) => flows * each >= one)) || PERIODS.at(flows > 0n ? -1 : 0);
  return [flows * seconds, words];
}

/**
 * The number of decimals of a running amount. The last digit changes about ten times a second: with
 * fewer decimals the amount would seem to stop, and more decimals could not be read.
 */
export function running(rate, decimals) {
  const fitting = decimals - String(rate).length + 2;
  return Math.max(Math.min(2, decimals), Math.min(decimals, fitting));
}
