// @ts-check
/** One EventSource that is kept open, even after errors for which the browser does not reconnect. */

import { CONTROL, EVENT_TYPES } from "./events.js";

const CLOSED = 2; // EventSource.CLOSED
const LONGEST_WAIT = 30_000;
const NOTICE = 60_000; // milliseconds before a token ends, when the server sends token_expiring

/**
 * Calls `frame(name, data, id)` for each frame, `heard()` when anything arrives, and `state(change)`
 * when the connection changes. `position()` returns the position to resume from.
 */
export class Source {
  #options; #tell; #source = null; #replaced = new Set(); #timer; #turn = 0; #tries = 0; #live = false;
  #wanted = false; #renewed = -Infinity;
  #online = () => this.#wanted && !this.#live && this.open();

  constructor(options, tell) {
    this.#options = options;
    this.#tell = tell;
  }

  /** Connect, with a new ticket if needed. The old connection closes when the new one is open. */
  async open() {
    const { env, url, query, ticket } = this.#options;
    this.#wanted = true;
    env.addEventListener?.("online", this.#online);
    clearTimeout(this.#timer);
    const turn = ++this.#turn;
    const parameters = new URLSearchParams(query);
    try {
      if (ticket) parameters.set("ticket", await ticket());
    } catch (error) {
      if (turn !== this.#turn) return;
      if (error.status !== 401) return this.retry("no ticket available");
      return this.#tell.state({ status: "refused", reason: error.message });
    }
    const EventSource = env.EventSource ?? (await import("./fetch_source.js")).FetchSource;
    if (turn !== this.#turn) return;
    const position = this.#tell.position();
    if (position) parameters.set("last_event_id", position);
    this.#listen(new EventSource(`${url}?${parameters}`, { withCredentials: true, env }));
  }

  /** Close this connection and try again, after at least `wait` ms. The delay grows with each attempt. */
  retry(reason, wait = 0) {
    this.#drop();
    this.#tell.state(reason ? { status: "reconnecting", reason } : { status: "reconnecting" });
    const most = Math.min(LONGEST_WAIT, 500 * 2 ** this.#tries++);
    this.#timer = setTimeout(() => this.open(), Math.max(wait, most * (0.5 + Math.random() / 2)));
  }

  /** Close for good. */
  close() {
    this.#wanted = false;
    this.#options.env.removeEventListener?.("online", this.#online);
    this.#drop();
  }

  #drop() {
    this.#turn++;
    this.#live = false;
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
    this.#closeReplaced();
  }

  #closeReplaced() {
    for (const source of this.#replaced) source.close();
    this.#replaced.clear();
  }

  #listen(source) {
    if (this.#source) this.#replaced.add(this.#source);
    this.#source = source;
    source.onmessage = (message) => {
      if (source === this.#source) this.#closeReplaced(); // only now, because they delivered events until now
      this.#heard("connected", message);
    };
    for (const name of [...EVENT_TYPES, ...CONTROL]) {
      source.addEventListener(name, (message) => this.#heard(name, message));
    }
    source.onerror = () => {
      if (source !== this.#source) return;
      this.#live = false;
      if (source.readyState !== CLOSED) return this.#tell.state({ status: "reconnecting" });
      this.retry(source.reason ?? "the server refused the connection", source.wait);
    };
  }

  /**
   * Reconnect, so that the connection gets a new token. At most once a minute: if the token cannot be
   * refreshed, the server sends token_expiring again at once.
   */
  #renew() {
    if (Date.now() - this.#renewed < NOTICE) return;
    this.#renewed = Date.now();
    this.open();
  }

  #heard(name, message) {
    const data = JSON.parse(message.data);
    this.#tell.heard();
    if (name === "token_expiring") return this.#renew();
    if (name === "overload" || name === "goodbye") {
      return this.#tell.state({ status: "reconnecting", reason: data.reason });
    }
    if (name === "connected") {
      this.#live = true;
      this.#tries = 0;
    }
    this.#tell.frame(name, data, message.lastEventId || null);
  }
}
