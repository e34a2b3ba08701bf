/** Types of headrace.js. Amounts and 64-bit ids are decimal strings. Times are Unix seconds. */

export type Status = "active" | "paused" | "completed" | "cancelled";

/** How the money of a stream becomes claimable. */
export interface Schedule {
  kind: "linear" | "cliff" | "cliff_amount" | "steps" | "allowance" | "conditions" | "unknown";
  cliffTime?: number;
  cliffAmount?: string;
  lastTime?: number | null;
  steps?: { time: number; amount: string }[];
}

/** A stream, as in GET /v1/streams/{id} and in events. */
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
  /** The recipient's answer. A stream of the API begins as pending. */
  acceptance: "pending" | "accepted" | "hidden";
  schedule: Schedule;
  /** null: the amount cannot be computed; `claimableUnknown` is the reason. Do not show it as 0. */
  claimable: { amount: string; asOf: number } | null;
  claimableUnknown: "schedule_not_read" | "depends_on_allowance" | "depends_on_conditions" | "state_not_certain" | null;
  /** true: the contract's record of the stream is archived. The next transaction restores it, for a fee. */
  archived: boolean;
  metadata: { label?: string; tags?: string[]; note?: string };
  /** The ledger as of which the state was last read from the contract; null: computed from events only. */
  stateLedger: number | null;
  createdAt: number;
  updatedAt: number;
  position?: string;
}

/** The fields of every event. */
interface EventOf<Type extends string> {
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

/** The type of `toMuxedId`: the id of a muxed address, or the memo of a payment: an id, a text or a hash. */
type MuxedIdType = "id" | "text" | "hash";

/** The fields that only some types of events have, by type. */
interface Fields {
  "stream.created": { ratePerSecond: string; depositedAmount: string; startTime: number; schedule?: Schedule };
  "stream.topped_up": { amount: string; newDepositedAmount: string; newEndTime: number | null };
  "stream.withdrawn": { amount: string };
  "stream.paused": { pausedAt: number };
  "stream.resumed": { newEndTime: number };
  "stream.completed": { totalWithdrawn: string };
  "stream.cancelled": { amountWithdrawn: string; refundedAmount: string };
  "stream.updated": { metadata: Stream["metadata"] };
  "stream.accepted": {};
  "stream.hidden": {};
  "stream.fee_collected": { feeAmount: string; treasury: string; token: string };
  "stream.recipient_transferred": { oldRecipient: string; newRecipient: string };
  "stream.rate_modified": { oldRatePerSecond: string; newRatePerSecond: string };
  "stream.milestone_unlocked": { milestoneId: number; amount: string; caller: string };
  "stream.dispute_requested": { arbiter: string };
  "stream.dispute_resolved": { arbiter: string; approved: boolean };
  "stream.closed": { closer: string };
  "stream.snapshot": { stateLedger: number; archived: boolean };
  "stream.uncertain": { reason: "gap" | "record_unreadable" };
  "stream.running_low": { endsAt: number; secondsLeft: number };
  "stream.depleted": { endsAt: number };
  "token.transfer": { from: string; to: string; amount: string; asset?: string; toMuxedId?: string; toMuxedIdType?: MuxedIdType };
  "token.mint": { to: string; amount: string; asset?: string; toMuxedId?: string; toMuxedIdType?: MuxedIdType };
  "token.burn": { from: string; amount: string; asset?: string };
  "token.clawback": { from: string; amount: string; asset?: string };
  "webhook.disabled": { account: string; webhookId: string; url: string; reason: "gone" | "failed"; since: number };
}

type Known = { [Type in keyof Fields]: EventOf<Type> & Fields[Type] }[keyof Fields];

/** An event. Use `switch (event.type)` to distinguish the types. */
export type HeadraceEvent = Known | (EventOf<string> & { [name: string]: unknown });

export interface State {
  /** "refused": the API gives no ticket any more; the user has to log in. */
  status: "connecting" | "live" | "reconnecting" | "refused" | "closed";
  /** True if this tab has the connection. */
  leader: boolean;
  /** The reason why the connection is not live, if it is known. */
  reason: string;
  /** Seconds since the close of the last indexed ledger, from the last `sync`. */
  lagSeconds: number | null;
  ledger: number | null;
}

/** The page has to load its data again. */
export interface Reload {
  reason: "gap" | "reset" | "unread";
  from?: string;
  to?: string;
  detail?: string;
}

/** What to subscribe to. With none of these, a token subscribes to the events of its own account. */
export interface Filters {
  /** Accounts: the streams that they send or receive, and the tokens that they hold. */
  users?: string | readonly string[];
  /** Ids of streams. */
  streams?: string | number | readonly (string | number)[];
  /** true: every event. */
  all?: boolean;
}

/** Where Headrace is, and who asks. */
export interface Connection {
  /** The address of the API. The default is the origin of the page; outside of a page it is required. */
  url?: string | URL;
  /**
   * A token, or a function that returns the current one. It is sent in the header Authorization, never in
   * a URL: each subscription uses a ticket, which the client gets with the token.
   */
  token?: string | (() => string | Promise<string>);
  /** Resolves to a ticket (POST /v1/events/ticket). Rejects with `status` 401 if logged out. Replaces `token`. */
  ticket?: (() => Promise<string>) | null;
  /** The account of the user. Only tabs with the same value share a connection. Default: that of `token`. */
  user?: string;
  /** false: do not share the connection with other tabs. Default: true, unless there is a login without `user`. */
  share?: boolean;
  fetch?: (address: string, init?: RequestInit) => Promise<Response>;
  /**
   * If no frame arrives for this long, the connection counts as lost: `state` changes and a new
   * connection is made. Default 30: the fanout sends `sync` after 15 s without other data (SYNC_SECONDS).
   */
  silenceSeconds?: number;
  /**
   * After a reload, the tab resumes from its last event, if it saw this event at most this many seconds
   * ago. Default 600.
   */
  resumeSeconds?: number;
  /** The global object to use instead of `globalThis`, for tests. */
  env?: object;
}

export interface Options extends Connection, Filters {
  /** Only these types of events. */
  types?: string | readonly string[];
  /** The subscription as a query, such as "streams=1&types=stream.withdrawn". Replaces the filters. */
  query?: string;
  /** The address of the history, if it is not `/v1/events` of the API. */
  history?: string;
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
