/**
 * Amounts of a stream at a time, by the rules of shared/domain/stream.py, in BigInt. Pure.
 * Times are Unix milliseconds. At whole seconds the results equal those of the API.
 */

const TERMINAL = new Set(["completed", "cancelled"]);
const most = (a, b) => (a > b ? a : b);
const least = (a, b) => (a < b ? a : b);

/** The amount that is still in the stream: deposited - withdrawn - refunded. */
export const remaining = (stream) =>
  BigInt(stream.depositedAmount) - BigInt(stream.withdrawnAmount) - BigInt(stream.refundedAmount);

/** True if the stream has ended: its money does not move any more. */
export const isOver = (stream) => TERMINAL.has(stream.status);

/** The amount that the recipient can withdraw. Nothing accrues while the stream is paused. */
export function claimable(stream, milliseconds) {
  if (isOver(stream)) return 0n;
  const until = stream.pausedAt === null ? BigInt(Math.floor(milliseconds)) : BigInt(stream.pausedAt) * 1000n;
  const elapsed = most(0n, until - BigInt(stream.lastUpdateTime) * 1000n);
  return most(0n, least((BigInt(stream.ratePerSecond) * elapsed) / 1000n, remaining(stream)));
}

/** True if the claimable amount grows at this time. */
export function flows(stream, milliseconds) {
  if (stream.status !== "active" || BigInt(stream.ratePerSecond) <= 0n) return false;
  return milliseconds >= stream.lastUpdateTime * 1000 && claimable(stream, milliseconds) < remaining(stream);
}

/** Percentages of the deposit: withdrawn, claimable, refunded. The rest has not accrued yet. */
export function shares(stream, milliseconds) {
  const whole = BigInt(stream.depositedAmount);
  const of = (part) => (whole > 0n ? Number((part * 10_000n) / whole) / 100 : 0);
  return {
    withdrawn: of(BigInt(stream.withdrawnAmount)),
    claimable: of(claimable(stream, milliseconds)),
    refunded: of(BigInt(stream.refundedAmount)),
  };
}
