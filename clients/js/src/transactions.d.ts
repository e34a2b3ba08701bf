/** Types of transactions.js. Amounts, fees and 64-bit numbers are decimal strings. Times are Unix seconds. */

import type { Connection, HeadraceEvent, Stream } from "./headrace.js";

/** What a wallet shall sign. `source` is the account that acts and pays the fee; default: that of the token. */
export type TransactionRequest = { source?: string } & (
  | { action: "create"; recipient: string; token: string; amount: string; duration: number }
  | { action: "top_up"; streamId: string; amount: string }
  | { action: "withdraw" | "pause" | "resume" | "cancel"; streamId: string }
);

export interface PreparedTransaction {
  /** "restore": archived entries must be restored first. When this is settled, prepare `requested` again. */
  action: TransactionRequest["action"] | "restore";
  requested?: TransactionRequest["action"];
  contract: string;
  /** null for a restore, which is no call. */
  function: string | null;
  arguments: Record<string, string | number>;
  source: string;
  sequence: string;
  /** The unsigned envelope in base64. */
  xdr: string;
  hash: string;
  networkPassphrase: string;
  /** In stroops (0.0000001 XLM). `total` is the most that is charged. */
  fee: { inclusion: string; resource: string; total: string };
  /** After `maxTime` the transaction can be in no ledger any more. */
  timeBounds: { minTime: number; maxTime: number };
  /** What the contract would return now: the id of a new stream, or the amount of a withdrawal. */
  returns: { streamId: string } | { amount: string } | null;
  /** The events that the contract would emit now. They have no `id` yet. */
  events: readonly Omit<HeadraceEvent, "id">[];
  /** The stream after the call. */
  stream: Stream | null;
}

export interface TransactionState {
  hash: string;
  /** "pending" can change; the others are final. "expired": its time is over, and it is in no ledger. */
  status: "pending" | "succeeded" | "failed" | "expired";
  /** After this time it can be in no ledger any more. */
  expiresAt: number | null;
  ledger: number | null;
  closedAt: number | null;
  /** The fee that was charged, in stroops. */
  fee: string | null;
  /** The events of the transaction, with their positions (`id`), without `publishedAt` and `stream`. */
  events: readonly Omit<HeadraceEvent, "publishedAt" | "stream">[];
  error: { code: string; detail: string } | null;
}

/** The error of a call: its message has the sentences of the API. */
export interface RefusedCall extends Error {
  status?: number;
  problem?: { type?: string; code?: string; detail?: string; errors?: { pointer?: string; detail: string }[] };
  /** Seconds after which the call can be repeated. */
  retryAfter?: number | null;
}

type Asked = Pick<Connection, "url" | "token" | "fetch">;

export function prepareTransaction(connection: Asked, request: TransactionRequest): Promise<PreparedTransaction>;
export function submitTransaction(connection: Asked, xdr: string): Promise<TransactionState>;
export function transaction(connection: Asked, hash: string): Promise<TransactionState>;
export function followTransaction(
  connection: Asked,
  hash: string,
  options?: { signal?: AbortSignal; changed?: (state: TransactionState) => void },
): Promise<TransactionState>;
