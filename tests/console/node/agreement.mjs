/** Answers each line {request, prepared, known} with the differences that the page finds. */

import { createInterface } from "node:readline";
import { differences } from "../../../services/api/console/js/agreement.js";

for await (const line of createInterface({ input: process.stdin })) {
  const { request, prepared, known } = JSON.parse(line);
  console.log(JSON.stringify(await differences(request, prepared, known)));
}
