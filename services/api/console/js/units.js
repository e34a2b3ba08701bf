/**
 * What a token is called, and the period in which a rate reads well. Pure.
 *
 * A token is the object of GET /v1/tokens/{address}. Its `asset` is proved: the contract is the Stellar
 * Asset Contract of this asset. Its `symbol` is what the contract says of itself, so anyone can call a
 * token USDC. Such a name is shown in quotation marks, and always with the contract's address nearby.
 */

import { short } from "./format.js";

const LONGEST = 12; // characters of a symbol; SEP-11 allows 12 for an asset code
const MOST = 38; // decimals with which the largest i128 is still above 1
const PERIODS = [[1n, "a second"], [3600n, "an hour"], [86_400n, "a day"], [2_592_000n, "every 30 days"]];
const NATIVE = "native";

/** The decimals of a token; null if they are unknown or make no sense. */
export function decimalsOf(token) {
  const given = token?.decimals;
  return Number.isInteger(given) && given >= 0 && given <= MOST ? given : null;
}

/** A stranger's text without characters that hide, reorder or imitate: "" if nothing is left. */
function clean(text) {
  const seen = [...String(text ?? "").replace(/[\p{C}\p{Z}\p{Quotation_Mark}"]+/gu, " ").trim()];
  return seen.length > LONGEST ? `${seen.slice(0, LONGEST - 1).join("")}…` : seen.join("");
}

/**
 * {word, where, proved, about}: the token's name, the short address that tells it from its namesakes,
 * and a sentence. Without a name, `word` is the short address and `where` is empty.
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
 * [base units, words] of a rate in base units a second: in the first period in which at least one whole
 * token flows. Without decimals, a second. The result is exact.
 */
export function readable(rate, decimals) {
  const one = 10n ** BigInt(decimals ?? 0);
  const flows = BigInt(rate);
  const [seconds, words] = (flows > 0n && PERIODS.find(([each]) => flows * each >= one)) || PERIODS.at(flows > 0n ? -1 : 0);
  return [flows * seconds, words];
}

/**
 * The decimals of a running amount: so many that the last digit changes about ten times a second. Fewer
 * would seem to stand still, more cannot be read.
 */
export function running(rate, decimals) {
  const fitting = decimals - String(rate).length + 2;
  return Math.max(Math.min(2, decimals), Math.min(decimals, fitting));
}
