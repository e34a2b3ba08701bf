/**
 * Reads many streams from the API and keeps those that match: for what the API itself cannot find. See
 * docs/decisions/0109-views-load-when-they-are-opened.md.
 */

import { get } from "./api.js";

const PAGE = 200; // streams for each request, the most that the API allows
const STEP = 2000; // streams that are read before the reader is asked

/**
 * Search on from a cursor of GET /v1/streams ("" for the newest). Ends after `STEP` streams, at the end
 * of the list, or with enough matches. Returns {items, next, read, total, position}: `next` is null at the
 * end, `read` is the number of streams that were read, `total` that of all streams or null.
 */
export async function scan(parameters, cursor, fits, { enough = Infinity, learn = () => {} } = {}) {
  const found = { items: [], next: cursor, read: 0, total: null, position: null };
  do {
    const page = await get("/v1/streams", { ...parameters, limit: PAGE, cursor: found.next });
    learn(page.tokens);
    found.position ??= page.position;
    found.total ??= page.total;
    found.read += page.items.length;
    found.items.push(...page.items.filter(fits));
    found.next = page.next;
  } while (found.next !== null && found.read < STEP && found.items.length < enough);
  return found;
}
