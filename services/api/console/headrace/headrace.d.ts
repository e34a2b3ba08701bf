/** Types of headrace.js. Amounts and 64-bit ids are decimal strings, times Unix seconds. */

export type Status = "active" | "paused" | "completed" | "cancelled";

/** A stream as GET /v1/streams/{id} returns it, and as it stands in events. */
export interface Stream {
  version: number;
  id: string;
  origin: "chain" | "api";
  contractId: string | null;
  sender: string;
  recipient: string;
  tokenAddress: string;
  ratePerSecond: string;
  depositedAmount: string;
  withdrawnAmount: string;
  refundedAmount: string;
  startTime: number;
  lastUpdateTime: number;
  endTime: number | null;
  pausedAt: number | null;
  status: Status;
  ending: null | "48h" | "24h" | "depleted";
  claimable: { amount: string; asOf: number };
  metadata: { label?: string; tags?: string[]; note?: string };
  createdAt: number;
  updatedAt: number;
  position?: string;
}

/** What every event says. */
interface Told<Type extends string> {
  id: string;
  type: Type;
  streamId: string | null;
  timestamp: number;
  /** Unix microseconds. */
  publishedAt: number;
  origin: "chain" | "api";
  sender?: string;
  recipient?: string;
  tokenAddress?: string;
  stream?: Stream;
  contractId?: string;
  ledger?: number;
  ledgerClosedAt?: string;
  txHash?: string;
  verified?: boolean | null;
}

/** What some events say beside, by type. */
interface Facts {
  "stream.created": { ratePerSecond: string; depositedAmount: string; startTime: number };
  "stream.topped_up": { amount: string; newDepositedAmount: string; newEndTime: number | null };
  "stream.withdrawn": { amount: string };
  "stream.paused": { pausedAt: number };
  "stream.resumed": { newEndTime: number };
  "stream.completed": { totalWithdrawn: string };
  "stream.cancelled": { amountWithdrawn: string; refundedAmount: string };
  "stream.updated": { metadata: Stream["metadata"] };
  "stream.fee_collected": { feeAmount: string; treasury: string; token: string };
  "stream.recipient_transferred": { oldRecipient: string; newRecipient: string };
  "stream.rate_modified": { oldRatePerSecond: string; newRatePerSecond: string };
  "stream.running_low": { endsAt: number; secondsLeft: number };
  "stream.depleted": { endsAt: number };
  "token.transfer": { from: string; to: string; amount: string; asset?: string };
  "token.mint": { to: string; amount: string; asset?: string };
  "token.burn": { from: string; amount: string; asset?: string };
  "token.clawback": { from: string; amount: string; asset?: string };
}

type Known = { [Type in keyof Facts]: Told<Type> & Facts[Type] }[keyof Facts];

/** An event; `switch (event.type)` tells which. */
export type HeadraceEvent = Known | (Told<string> & { [name: string]: unknown });

export interface State {
  /** "refused": no ticket is given any more, the user has to log in. */
  status: "connecting" | "live" | "reconnecting" | "refused" | "closed";
  /** Whether this tab holds the connection. */
  leader: boolean;
  /** Why it is not live, where that is known. */
  reason: string;
  /** Seconds since the close of the last indexed ledger, as the last `sync` told. */
  lagSeconds: number | null;
  ledger: number | null;
}

/** What was shown has to be loaded anew. */
export interface Reload {
  reason: "gap" | "reset" | "unread";
  from?: string;
  to?: string;
  detail?: string;
}

export interface Options {
  /** What to subscribe to, such as "all=true", "users=G…" or "streams=1&types=stream.withdrawn". */
  query: string;
  /** Whose tabs share the connection; name the account where users may change. */
  user?: string;
  /** Resolves to a ticket (POST /v1/events/ticket); rejects with `status` 401 when logged out. */
  ticket?: (() => Promise<string>) | null;
  url?: string;
  history?: string;
  fetch?: (address: string) => Promise<Response>;
  /**
   * Without a frame for so long the connection counts as dead, `state` says so, and a new one is
   * made. By default 30: two of the fanout's `sync`, which comes every 15 s (SYNC_SECONDS).
   */
  silenceSeconds?: number;
  /** A reload resumes after what the tab saw last, if that was not longer ago. */
  resumeSeconds?: number;
  env?: object;
}

export interface Follow {
  load: () => Promise<string | null | undefined>;
  apply: (event: HeadraceEvent) => void;
  failed?: (error: Error) => void;
}

export const EVENT_TYPES: readonly string[];
export function comparePositions(a: string, b: string): -1 | 0 | 1;

export class Versions {
  isNews(stream: Pick<Stream, "id" | "version">): boolean;
}

export class Headrace {
  constructor(options: Options);
  readonly state: State;
  readonly position: string | null;
  readonly begun: Promise<void>;
  on(name: "event", listener: (event: HeadraceEvent) => void): () => void;
  on(name: "state", listener: (state: State) => void): () => void;
  on(name: "reload", listener: (reload: Reload) => void): () => void;
  follow(what: Follow): () => void;
  close(): void;
}
