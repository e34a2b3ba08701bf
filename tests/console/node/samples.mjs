/** A stream as the API returns it, for the tests of the console. */

export const ALICE = `G${"A".repeat(55)}`;
export const BOB = `G${"B".repeat(55)}`;
export const stream = (more = {}) => ({
  id: "7", origin: "api", version: 1, status: "active", sender: ALICE, recipient: BOB, acceptance: "accepted",
  tokenAddress: `C${"D".repeat(55)}`,
  ratePerSecond: "10", depositedAmount: "1000", withdrawnAmount: "0", refundedAmount: "0",
  startTime: 100, lastUpdateTime: 100, endTime: 200, pausedAt: null, ending: null, metadata: {},
  createdAt: 100, ...more,
});
