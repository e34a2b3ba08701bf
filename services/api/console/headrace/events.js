// @ts-check
/** What an event is called, where it stands, and whether it is news. Pure. */

/**
 * Every type of event that tells of a stream, a contract or a token. chain.gap comes as `gap`,
 * journal.reset as `reset`.
 */
export const EVENT_TYPES = Object.freeze([
  "stream.created", "stream.topped_up", "stream.withdrawn", "stream.paused", "stream.resumed",
  "stream.completed", "stream.cancelled", "stream.updated", "stream.fee_collected",
  "stream.recipient_transferred", "stream.rate_modified", "stream.running_low", "stream.depleted",
  "contract.initialized", "contract.fee_config_updated", "contract.admin_transferred",
  "token.transfer", "token.mint", "token.burn", "token.clawback", "chain.unknown",
]);

/** The frames that tell of the connection. */
export const CONTROL = Object.freeze([
  "sync", "gap", "reset", "overload", "goodbye", "token_expiring",
]);

/** Below, at or above 0 as position `a` stands before, at or after `b`; both halves pass 2^53. */
export function comparePositions(a, b) {
  const [left, right] = [a.split("-").map(BigInt), b.split("-").map(BigInt)];
  const [x, y] = left[0] === right[0] ? [left[1], right[1]] : [left[0], right[0]];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** The latest version of each stream: events and snapshots overlap, and only news is wanted. */
export class Versions {
  #latest = new Map();

  /** Whether this stream is newer than what was seen of it; remembers it if so. */
  isNews(stream) {
    const news = stream.version > (this.#latest.get(stream.id) ?? 0);
    if (news) this.#latest.set(stream.id, stream.version);
    return news;
  }
}
