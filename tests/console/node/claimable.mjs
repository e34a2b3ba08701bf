/** Answers each line of {stream, now} with what is claimable then, by the page's own rules. */

import { createInterface } from "node:readline";
import { claimable } from "../../../services/api/console/js/money.js";

for await (const line of createInterface({ input: process.stdin })) {
  const { stream, now } = JSON.parse(line);
  console.log(String(claimable(stream, now * 1000)));
}
