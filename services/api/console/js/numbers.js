/**
 * Exact decimal numbers in the reader's language. An amount is a whole number of base units; a token
 * with 7 decimals has 10^7 base units. All arithmetic is in BigInt, because a Number is exact only up
 * to 2^53, and amounts reach 2^127. Intl gives the separators, the grouping and the digits. Pure.
 */

const LEAST = 2; // decimals that are shown at least, as people write money: 12.50

/** [text before the digits, text after them] of a negative number. In Arabic, a mark precedes the sign. */
function frame(whole) {
  const parts = whole.formatToParts(-1);
  const at = parts.findIndex(({ type }) => type === "integer");
  const text = (some) => some.map(({ value }) => value).join("");
  return [text(parts.slice(0, at)), text(parts.slice(at + 1))];
}

/** {format, parse, example, decimal, group} for a locale. The default is the reader's locale. */
export function numbers(locale) {
  const whole = new Intl.NumberFormat(locale);
  const sample = new Intl.NumberFormat(locale, { minimumFractionDigits: 1 }).formatToParts(12345678.5);
  const part = (name) => sample.find(({ type }) => type === name)?.value ?? "";
  const [decimal, group] = [part("decimal"), part("group")];
  const [before, after] = frame(whole);
  const plain = new Intl.NumberFormat(locale, { useGrouping: false });
  const digits = Array.from({ length: 10 }, (_, digit) => plain.format(digit)); // 一 of "hanidec" is no \p{Nd}
  const local = (text) => text.replace(/\d/g, (digit) => digits[digit]);
  const ascii = (text) => [...text].map((each) => (digits.includes(each) ? digits.indexOf(each) : each)).join("");
  const example = (units, decimals) => local(units) + (decimals ? decimal + local("5") : "");

  /**
   * The amount `value` (base units) as text. Exact, with at least two decimals if the token has them.
   * `shown`: cut it to exactly this number of decimals. A running number must keep its width.
   */
  function format(value, decimals = 0, shown = null) {
    const given = BigInt(value);
    const text = String(given < 0n ? -given : given).padStart(decimals + 1, "0");
    const at = text.length - decimals;
    const exact = text.slice(at).replace(/0+$/, "").padEnd(Math.min(LEAST, decimals), "0");
    const fraction = shown === null ? exact : text.slice(at, at + shown);
    const number = whole.format(BigInt(text.slice(0, at))) + (fraction && decimal + local(fraction));
    return given < 0n ? before + number + after : number;
  }

  /**
   * The base units of a text that somebody typed. Throws an Error with a sentence for the reader.
   * Thousands separators are refused: "1.000" is a thousand in some languages, and one in others. So
   * only the decimal sign of this language is read.
   */
  function parse(text, decimals = 0) {
    const typed = ascii(text.trim());
    const parts = typed.split(decimal);
    if (parts.length > 2 || !parts.every((each) => /^\d+$/.test(each))) throw new Error(refused(typed, decimals));
    const [units, fraction = ""] = parts;
    if (fraction.length > decimals) throw new Error(tooFine(decimals, fraction.length));
    const value = BigInt(units + fraction.padEnd(decimals, "0"));
    if (value <= 0n) throw new Error("The amount must be greater than 0.");
    return value;
  }

  /** A sentence for a text that is no number in this language. */
  function refused(typed, decimals) {
    const grouped = /\d\s+\d/.test(typed) || (group && typed.split(group).slice(1).some((part) => /^\d{3}(?!\d)/.test(part)));
    if (grouped) return `Write the amount without thousands separators, such as ${example("1234", decimals)}.`;
    if (decimals && /^\d+[.,]\d+$/.test(typed)) return `Write the decimals with "${decimal}": ${example("12", decimals)}.`;
    return `Write a number, such as ${example("1234", decimals)}.`;
  }
  return { format, parse, example: (decimals = 0) => example("1234", decimals), decimal, group };
}

const tooFine = (decimals, typed) => decimals
  ? `The amount has ${typed} decimals. This token has ${decimals}.`
  : "The amount must be a whole number. Leave out the decimals.";

/** The numbers of this reader. */
export const reader = numbers();
