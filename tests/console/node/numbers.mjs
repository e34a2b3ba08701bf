/** Answers each line of {locale, value, decimals, digits} with the text of the amount, and with what is read back. */

import { createInterface } from "node:readline";
import { numbers } from "../../../services/api/console/js/numbers.js";

for await (const line of createInterface({ input: process.stdin })) {
  const { locale, value, decimals, digits } = JSON.parse(line);
  const { format, parse, group } = numbers(locale);
  const text = format(value, decimals, digits);
  const typed = text.replaceAll(group, "");
  const read = digits === null && BigInt(value) > 0n ? String(parse(typed, decimals)) : null;
  console.log(JSON.stringify({ text, read }));
}
