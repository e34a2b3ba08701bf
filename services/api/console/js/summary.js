/** The sums of all streams of an account. The API adds up a part of them for each request. */

import { get } from "./api.js";

const MOST = 2000; // the most streams that the API adds up for one request

/** The sums of two objects of the same form: decimal strings, numbers, or objects of these. */
function plus(a, b) {
  const one = (x, y) => {
    if (typeof x === "object") return plus(x, y);
    return typeof x === "number" ? x + y : String(BigInt(x) + BigInt(y));
  };
  return Object.fromEntries(Object.entries(a).map(([name, value]) => [name, one(value, b[name])]));
}

function plusTokens(a, b) {
  const found = new Map(a.map((each) => [each.tokenAddress, each]));
  for (const { tokenAddress, ...amounts } of b) {
    const { tokenAddress: _, ...before } = found.get(tokenAddress) ?? {};
    found.set(tokenAddress, { tokenAddress, ...(found.has(tokenAddress) ? plus(before, amounts) : amounts) });
  }
  return [...found.values()].sort((x, y) => (x.tokenAddress < y.tokenAddress ? -1 : 1));
}

const plusOrigin = (a, b) =>
  ({ streams: a.streams + b.streams, counts: plus(a.counts, b.counts), tokens: plusTokens(a.tokens, b.tokens) });

/**
 * Two pages of GET /v1/users/{account}/summary as one. `pending` and `hidden` are on each page the
 * numbers of all streams, so they are not added. Pure.
 */
export const addPages = (a, b) => ({
  ...b,
  chain: plusOrigin(a.chain, b.chain),
  api: plusOrigin(a.api, b.api),
  tokens: { ...a.tokens, ...b.tokens },
});

/** The number of streams in a summary. */
export const sizeOf = ({ chain, api }) => chain.streams + api.streams;

/**
 * The summary of all streams of the account, and the number of pages. `progress(summary)` gets the
 * sums so far; if it returns false, the reading ends, and the result is null.
 */
export async function readSummary(account, progress) {
  const path = `/v1/users/${encodeURIComponent(account)}/summary`;
  let summary = null;
  for (let pages = 1, cursor = ""; ; pages++) {
    const page = await get(path, { limit: MOST, cursor });
    summary = summary ? addPages(summary, page) : page;
    if (!page.next) return { summary, pages };
    if (progress(summary) === false) return null;
    cursor = page.next;
  }
}
