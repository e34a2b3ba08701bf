// @ts-check
/** Types, positions and versions of events. Pure. */

/**
 * The types of events about a stream, a contract or a token. On the wire chain.gap is named `gap`, and
 * journal.reset is named `reset`.
 */
export const EVENT_TYPES = Object.freeze([
  "stream.created", "stream.topped_up", "stream.withdrawn", "stream.paused", "stream.resumed",
  "stream.completed", "stream.cancelled", "stream.updated", "stream.accepted", "stream.hidden",
  "stream.fee_collected", "stream.recipient_transferred", "stream.rate_modified",
  "stream.milestone_unlocked", "stream.dispute_requested", "stream.dispute_resolved", "stream.closed",
  "stream.snapshot", "stream.uncertain", "stream.running_low", "stream.depleted",
  "contract.initialized", "contract.fee_config_updated", "contract.admin_transferred",
  "contract.pause_changed", "contract.guardian_updated", "contract.upgraded", "contract.state_migrated",
  "token.transfer", "token.mint", "token.burn", "token.clawback", "chain.unknown",
  "webhook.disabled",
]);

/** The frames about the connection. */
export const CONTROL = Object.freeze([
  "sync", "gap", "reset", "overload", "goodbye", "token_expiring",
]);

/** -1 if position `a` is before `b`, 0 if equal, 1 if after. BigInt, because both parts can exceed 2^53. */
export function comparePositions(a, b) {
  const [left, right] = [a.split("-").map(BigInt), b.split("-").map(BigInt)];
  const [x, y] = left[0] === right[0] ? [left[1], right[1]] : [left[0], right[0]];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Remembers the latest version of each stream: a snapshot can be newer than the next event. */
export class Versions {
  #latest = new Map();

  /** True if this version of the stream is newer than all before. Remembers the new version. */
  isNews(stream) {
    const news = stream.version > (this.#latest.get(stream.id) ?? 0);
    if (news) this.#latest.set(stream.id, stream.version);
    return news;
  }
}
