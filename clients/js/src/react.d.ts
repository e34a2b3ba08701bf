/** Types of the React hook. */

import type { Connection, Filters, HeadraceEvent, State, Stream } from "./headrace.js";

export interface HookOptions extends Connection, Filters {
  /** The most events in `events`. Default 100. */
  maxEvents?: number;
  /** The most streams that are loaded from each list of the API, the newest ones. Default 1000. */
  maxStreams?: number;
}

export interface Live {
  /** The streams of the subscription, newest first. */
  readonly streams: readonly Stream[];
  /** The events since the page was opened, newest first. */
  readonly events: readonly HeadraceEvent[];
  /** The state of the connection. */
  readonly state: State["status"];
  /** Seconds since the close of the last indexed ledger; null until it is known. */
  readonly lag: number | null;
  /** Why the streams could not be loaded, or why the login was refused; null if all is well. */
  readonly error: Error | null;
}

/** The streams of a subscription, kept current. Equal options keep the connection; other options make a new one. */
export function useHeadrace(options?: HookOptions): Live;
