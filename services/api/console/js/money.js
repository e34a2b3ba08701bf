/**
 * Amounts of a stream at a time, by the rules of shared/domain/stream.py, in BigInt. Pure.
 * Times are Unix milliseconds. At whole seconds the results equal those of the API.
 */

const TERMINAL = new Set(["completed", "cancelled"]);
const LINEAR = { kind: "linear" }; // documents of earlier versions have no schedule
const most = (a, b) => (a > b ? a : b);
const least = (a, b) => (a < b ? a : b);

/** The amount that is still in the stream: deposited - withdrawn - refunded. */
export const remaining = (stream) =>
  BigInt(stream.depositedAmount) - BigInt(stream.withdrawnAmount) - BigInt(stream.refundedAmount);

/** True if the stream has ended: its money does not move any more. */
export const isOver = (stream) => TERMINAL.has(stream.status);

/**
 * The amount that the recipient can withdraw, or null if it cannot be computed (`claimableUnknown`).
 * Nothing accrues while the stream is paused.
 */
export function claimable(stream, milliseconds) {
  if (isOver(stream)) return 0n;
  if (stream.claimableUnknown) return null;
  const until = stream.pausedAt === null ? BigInt(Math.floor(milliseconds)) : BigInt(stream.pausedAt) * 1000n;
  return most(0n, least(accrued(stream, until), remaining(stream)));
}

/** The amount that the schedule has made claimable by `until`, without what was withdrawn. */
function accrued(stream, until) {
  const { kind, cliffTime, cliffAmount, steps } = stream.schedule ?? LINEAR;
  const withdrawn = BigInt(stream.withdrawnAmount);
  const flowed = (since) => (BigInt(stream.ratePerSecond) * most(0n, until - BigInt(since) * 1000n)) / 1000n;
  if (kind === "steps") {
    const reached = steps.filter(({ time }) => BigInt(time) * 1000n <= until);
    return reached.reduce((sum, { amount }) => sum + BigInt(amount), 0n) - withdrawn;
  }
  if (cliffTime !== undefined && until < BigInt(cliffTime) * 1000n) return 0n;
  if (kind !== "cliff_amount") return flowed(stream.lastUpdateTime);
  const rest = BigInt(stream.depositedAmount) - BigInt(cliffAmount);
  return BigInt(cliffAmount) + least(flowed(cliffTime), rest) - withdrawn;
}

/** The times at which the claimable amount jumps or begins to grow. */
export function jumps(stream) {
  const { cliffTime, steps = [] } = stream.schedule ?? LINEAR;
  return cliffTime === undefined ? steps.map(({ time }) => time) : [cliffTime];
}

/** True if the claimable amount grows at this time. */
export function flows(stream, milliseconds) {
  if (stream.status !== "active" || BigInt(stream.ratePerSecond) <= 0n) return false;
  const due = claimable(stream, milliseconds);
  const begun = [stream.lastUpdateTime, ...jumps(stream)].every((time) => milliseconds >= time * 1000);
  return due !== null && begun && due < remaining(stream);
}

/** Percentages of the deposit: withdrawn, claimable, refunded. The rest has not accrued yet. */
export function shares(stream, milliseconds) {
  const whole = BigInt(stream.depositedAmount);
  const of = (part) => (whole > 0n ? Number((part * 10_000n) / whole) / 100 : 0);
  return {
    withdrawn: of(BigInt(stream.withdrawnAmount)),
    claimable: of(claimable(stream, milliseconds) ?? 0n),
    refunded: of(BigInt(stream.refundedAmount)),
  };
}
