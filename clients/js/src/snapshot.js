// @ts-check
/** Loads the streams of a subscription from the API, with the position at which they were read. */

import { answerOf } from "./answers.js";
import { comparePositions } from "./events.js";
import { listOf } from "./options.js";

const PAGE = 200; // the most that one call returns

/**
 * The streams, oldest first, and the lowest position of all answers: events after it may be missing in
 * some of them. `filters` has the options users, streams and all; `most` limits each list.
 */
export async function loadSnapshot({ api, fetch, account }, filters, most) {
  const ask = (path) => answerOf(fetch, api + path);
  const answers = await Promise.all([
    ...listsOf(filters, account).map((parameters) => readList(ask, parameters, most)),
    ...(filters.all ? [] : listOf(filters.streams)).map((id) => readOne(ask, id)),
  ]);
  const streams = new Map(answers.flatMap(({ items }) => items).map((stream) => [stream.id, stream]));
  const positions = answers.map(({ position }) => position).filter(Boolean).sort(comparePositions);
  return {
    streams: [...streams.values()].sort((a, b) => a.createdAt - b.createdAt),
    position: positions[0] ?? null,
  };
}

/**
 * The lists to read. A list of `user` lacks the streams that the account has not accepted yet. Without a
 * filter, the subscription and the list are those of the token's account, which the API knows.
 */
function listsOf({ users, streams, all }, account) {
  if (all) return [{}];
  const ofToken = listOf(streams).length ? [] : [account ? { user: account } : {}];
  const own = listOf(users).length ? listOf(users).map((user) => ({ user })) : ofToken;
  return own.flatMap((each) => [each, { ...each, acceptance: "pending" }]);
}

async function readList(ask, parameters, most) {
  const items = [];
  let position = null;
  for (let cursor = ""; cursor !== null && items.length < most; ) {
    const query = new URLSearchParams({ ...parameters, limit: String(PAGE), ...(cursor && { cursor }) });
    const page = await (await ask(`/v1/streams?${query}`)).json();
    position ??= page.position;
    items.push(...page.items);
    cursor = page.next;
  }
  return { items: items.reverse(), position };
}

/** One stream. There may be none with this id yet. */
async function readOne(ask, id) {
  try {
    const answer = await ask(`/v1/streams/${encodeURIComponent(id)}`);
    return { items: [await answer.json()], position: answer.headers.get("Headrace-Position") };
  } catch (error) {
    if (error.status !== 404) throw error;
    return { items: [], position: null };
  }
}
