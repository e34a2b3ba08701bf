/**
 * A stream's money as time passes: the rules of shared/domain/stream.py, in BigInt. Pure.
 * Time comes in milliseconds; at a whole second this is what the API says.
 */

const TERMINAL = new Set(["completed", "cancelled"]);
const most = (a, b) => (a > b ? a : b);
const least = (a, b) => (a < b ? a : b);

/** What the stream still holds: deposited = withdrawn + refunded + remaining, always. */
export const remaining = (stream) =>
  BigInt(stream.depositedAmount) - BigInt(stream.withdrawnAmount) - BigInt(stream.refundedAmount);

/** Whether no money will move in it again. */
export const isOver = (stream) => TERMINAL.has(stream.status);

/** What the recipient could withdraw; accrual stands still while paused. */
export function claimable(stream, milliseconds) {
  if (isOver(stream)) return 0n;
  const until = stream.pausedAt === null ? BigInt(Math.floor(milliseconds)) : BigInt(stream.pausedAt) * 1000n;
  const elapsed = most(0n, until - BigInt(stream.lastUpdateTime) * 1000n);
  return most(0n, least((BigInt(stream.ratePerSecond) * elapsed) / 1000n, remaining(stream)));
}

/** Whether the amount changes with time just now. */
export function flows(stream, milliseconds) {
  if (stream.status !== "active" || BigInt(stream.ratePerSecond) <= 0n) return false;
  return milliseconds >= stream.lastUpdateTime * 1000 && claimable(stream, milliseconds) < remaining(stream);
}

/** Shares of the deposit in hundredths: withdrawn, claimable, refunded; the rest is to come. */
export function shares(stream, milliseconds) {
  const whole = BigInt(stream.depositedAmount);
  const of = (part) => (whole > 0n ? Number((part * 10_000n) / whole) / 100 : 0);
  return {
    withdrawn: of(BigInt(stream.withdrawnAmount)),
    claimable: of(claimable(stream, milliseconds)),
    refunded: of(BigInt(stream.refundedAmount)),
  };
}
