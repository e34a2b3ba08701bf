/** The sums of an account, read again as time passes and as its streams change. */

import { h, say } from "./dom.js";
import { readSummary, sizeOf } from "./summary.js";
import { sums } from "./sums.js";
import { learn } from "./tokens.js";

const PAUSE = 5_000; // milliseconds between two readings, for each page of the sums after the first

/** {node, read(), stop()}. `changed(summary)` gets each new summary. */
export function totals(account, changed) {
  const found = h("div", { class: "totals" });
  const adding = h("p", { class: "quiet-text", role: "status" });
  let isReading = false;
  let isGone = false;
  let earliest = 0;

  function progress(part) {
    learn(part.tokens);
    if (!found.children.length) say(adding, `Adding up the streams of this account: ${sizeOf(part)} so far.`);
    return !isGone;
  }
  function show({ summary, pages }) {
    earliest = Date.now() + PAUSE * (pages - 1); // an account with many pages is read less often
    learn(summary.tokens);
    say(adding, "");
    found.replaceChildren(...sums(summary));
    changed(summary);
  }
  async function read() {
    if (isReading || Date.now() < earliest) return;
    isReading = true;
    try {
      const whole = await readSummary(account, progress);
      if (whole && !isGone) show(whole);
    } finally {
      isReading = false;
    }
  }
  return { node: h("div", {}, adding, found), read, stop: () => { isGone = true; } };
}
