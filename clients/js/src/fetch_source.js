// @ts-check
/**
 * A substitute for EventSource where there is none, such as in Node. It reads one connection with fetch
 * and does not reconnect: `Source` makes the next connection, with a new ticket and the last position.
 */

const LINE = /\r\n|\n|\r(?!$)/; // a CR at the end of a chunk may be the first half of CR LF
const OPEN = 1;
const CLOSED = 2;

export class FetchSource {
  readyState = 0;
  onmessage = null;
  onerror = null;
  /** Milliseconds to wait before the next connection, if the server has sent `retry:`. */
  wait = 0;
  /** Why the connection failed; "" after an answer that ended. */
  reason = "";
  #listeners = new Map(); #abort = new AbortController(); #id = ""; #name = ""; #data = [];

  /** @param {string} url  @param {{ env: any }} options */
  constructor(url, { env }) {
    this.#run(url, env);
  }

  addEventListener(name, listener) {
    this.#listeners.set(name, listener);
  }

  close() {
    this.readyState = CLOSED;
    this.#abort.abort();
  }

  async #run(url, env) {
    try {
      await this.#read(url, env);
    } catch (error) {
      this.reason = error.message;
    }
    if (this.readyState === CLOSED) return;
    this.close();
    this.onerror?.();
  }

  async #read(url, env) {
    const headers = { Accept: "text/event-stream" };
    const answer = await env.fetch(url, { headers, cache: "no-store", signal: this.#abort.signal });
    if (answer.status !== 200) throw new Error(`the server refused the connection: status ${answer.status}`);
    this.readyState = OPEN;
    const decoder = new TextDecoder();
    const reader = answer.body.getReader();
    for (let rest = ""; ; ) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split(LINE);
      rest = lines.pop() ?? "";
      for (const line of lines) this.#take(line);
    }
  }

  /** One line of the stream (WHATWG HTML, 9.2.6). An empty line ends an event. */
  #take(line) {
    if (line === "") return this.#dispatch();
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (name === "event") this.#name = value;
    if (name === "data") this.#data.push(value);
    if (name === "id" && !value.includes("\0")) this.#id = value;
    if (name === "retry" && /^\d+$/.test(value)) this.wait = Number(value);
  }

  #dispatch() {
    const [name, data] = [this.#name, this.#data];
    [this.#name, this.#data] = ["", []];
    if (!data.length || this.readyState === CLOSED) return;
    const message = { data: data.join("\n"), lastEventId: this.#id };
    if (name === "" || name === "message") this.onmessage?.(message);
    else this.#listeners.get(name)?.(message);
  }
}
