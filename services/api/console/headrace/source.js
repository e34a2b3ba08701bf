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
  #options; #tell; #source = null; #timer; #turn = 0; #tries = 0; #live = false; #wanted = false;
  #renewed = -Infinity;

  constructor(options, tell) {
    this.#options = options;
    this.#tell = tell;
    options.env.addEventListener?.("online", () => this.#wanted && !this.#live && this.open());
  }

  /** Connect, with a new ticket if needed. The old connection closes when the new one is open. */
  async open() {
    const { env, url, query, ticket } = this.#options;
    this.#wanted = true;
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
    if (turn !== this.#turn) return;
    const position = this.#tell.position();
    if (position) parameters.set("last_event_id", position);
    this.#listen(new env.EventSource(`${url}?${parameters}`, { withCredentials: true }));
  }

  /** Close this connection and try again. The delay grows with each attempt. */
  retry(reason) {
    this.#drop();
    this.#tell.state({ status: "reconnecting", reason });
    const most = Math.min(LONGEST_WAIT, 500 * 2 ** this.#tries++);
    this.#timer = setTimeout(() => this.open(), most * (0.5 + Math.random() / 2));
  }

  /** Close for good. */
  close() {
    this.#wanted = false;
    this.#drop();
  }

  #drop() {
    this.#turn++;
    this.#live = false;
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #listen(source) {
    const before = this.#source;
    this.#source = source;
    source.onmessage = (message) => {
      before?.close(); // only now, because the old connection delivered events until now
      this.#heard("connected", message);
    };
    for (const name of [...EVENT_TYPES, ...CONTROL]) {
      source.addEventListener(name, (message) => this.#heard(name, message));
    }
    source.onerror = () => {
      if (source !== this.#source) return;
      this.#live = false;
      if (source.readyState === CLOSED) this.retry("the server refused the connection");
      else this.#tell.state({ status: "reconnecting" });
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
