/** What people can search in the list of streams, and the orders of the list. Pure. */

import { isOver } from "./money.js";
import { decimalsOf } from "./units.js";
import { isNewer } from "./stream_list.js";

const SHORTEST = 2; // characters of a text that is searched for
const MOST_DECIMALS = 38;

/**
 * The meaning of the search text: {user} for a complete account, {stream} for an id, {transaction} for
 * a hash, {text} for anything else; {} if empty; {wrong: true} if it is too short. Pure.
 */
export function meaning(search) {
  if (!search) return {};
  if (/^[GCM][A-Z2-7]{55,68}$/.test(search)) return { user: search };
  if (/^(\d{1,20}|api-[0-9a-f-]{36})$/.test(search)) return { stream: search };
  if (/^[0-9a-f]{64}$/i.test(search)) return { transaction: search.toLowerCase() };
  return search.length < SHORTEST ? { wrong: true } : { text: search };
}

/**
 * True if the stream's label or tags, the reader's name for one of its addresses, or the symbol of its
 * token contain the text, or if one of its addresses or its id begins with the text. `nameFor(address)`
 * and `symbolOf(address)` give "" if there is none.
 */
export function hasText(stream, text, { nameFor = () => "", symbolOf = () => "" } = {}) {
  const wanted = text.toLowerCase();
  const { metadata, sender, recipient, tokenAddress, id } = stream;
  const whole = [metadata?.label, ...(metadata?.tags ?? []), symbolOf(tokenAddress), ...[sender, recipient, tokenAddress].map(nameFor)];
  return whole.some((each) => each?.toLowerCase().includes(wanted)) ||
    [sender, recipient, tokenAddress, id].some((each) => each.toLowerCase().startsWith(wanted));
}

/** True if `user` sends the stream, or receives it and has given this answer (default: accepted). */
function isOf(stream, user, acceptance) {
  const received = stream.recipient === user && stream.acceptance === (acceptance || "accepted");
  return received || (!acceptance && stream.sender === user);
}

/** The streams of each choice of the filter "Runs out". */
const STATES = {
  low: ({ status, ending }) => status === "active" && (ending === "48h" || ending === "24h"),
  depleted: ({ status, ending }) => status === "active" && ending === "depleted",
};

/** True if a stream matches the filters of the list. Without a search, `own` is the account. */
export function belongs(stream, { search = "", status, origin, acceptance, token, state }, own = "", names = {}) {
  const { user = own, stream: id, text, wrong, transaction } = meaning(search);
  if (wrong || transaction) return false;
  const whose = id ? stream.id === id : !user || isOf(stream, user, acceptance);
  return whose && (!status || stream.status === status) && (!origin || stream.origin === origin) &&
    (!acceptance || stream.acceptance === acceptance) && (!token || stream.tokenAddress === token) &&
    (!state || STATES[state]?.(stream) === true) && (!text || hasText(stream, text, names));
}

/** True if the API cannot find or order the streams, so that the page reads many and chooses. */
export const needsScan = ({ search = "", state, sort }) => Boolean(meaning(search).text || state || sort);

/** The deposit in a unit that all tokens share: amounts are compared as people read them. */
const inTokens = ({ depositedAmount, tokenAddress }, tokenOf) =>
  BigInt(depositedAmount) * 10n ** BigInt(MOST_DECIMALS - (decimalsOf(tokenOf(tokenAddress)) ?? 0));

/** The end of a stream that still runs; Infinity without an end. */
const endOf = (stream) => (isOver(stream) || stream.endTime === null ? Infinity : stream.endTime);

/** For each order, a function that is true if stream `a` stands above stream `b`. */
export function order(sort, tokenOf) {
  const by = {
    amount: (a, b) => [inTokens(b, tokenOf), inTokens(a, tokenOf)],
    end: (a, b) => [endOf(a), endOf(b)],
  }[sort];
  if (!by) return isNewer;
  return (a, b) => {
    const [x, y] = by(a, b);
    return x === y ? isNewer(a, b) : x < y;
  };
}
