/** A browser of fakes for headrace.js: tabs that share locks and channels, and a server to play. */

import { Headrace } from "../../../../../clients/js/src/headrace.js";

export const settle = async () => {
  for (let n = 0; n < 20; n++) await Promise.resolve();
};

class FakeSource {
  constructor(world, url) {
    this.url = new URL(url, "http://console");
    this.listeners = new Map();
    this.readyState = 0;
    this.closed = false;
    world.sources.push(this);
  }
  addEventListener(name, listener) { this.listeners.set(name, listener); }
  close() { this.closed = true; this.readyState = 2; }
  get parameters() { return Object.fromEntries(this.url.searchParams); }

  /** What the server sends; a closed source hears nothing. */
  send(name, data, id = "") {
    if (this.closed) return;
    const message = { data: JSON.stringify(data), lastEventId: id };
    if (name === "connected") this.onmessage(message);
    else this.listeners.get(name)(message);
  }
  connect(position) {
    this.readyState = 1;
    this.send("connected", { type: "connected", position }, position);
  }
  fail(readyState) { this.readyState = readyState; this.onerror(); }
}

class FakeLocks {
  held = new Map();
  queue = [];
  request(name, { signal, steal }, hold) {
    return new Promise((resolve, reject) => {
      const wish = { name, hold, resolve, reject };
      if (steal) {
        this.held.get(name)?.reject(new Error("stolen"));
        this.held.delete(name);
        this.queue.unshift(wish);
      } else this.queue.push(wish);
      signal?.addEventListener("abort", () => {
        const at = this.queue.indexOf(wish);
        if (at >= 0) { this.queue.splice(at, 1); reject(new Error("aborted")); }
      });
      queueMicrotask(() => this.grant());
    });
  }
  grant() {
    const at = this.queue.findIndex(({ name }) => !this.held.has(name));
    if (at < 0) return;
    const [wish] = this.queue.splice(at, 1);
    this.held.set(wish.name, wish);
    Promise.resolve(wish.hold()).then((value) => {
      if (this.held.get(wish.name) === wish) this.held.delete(wish.name);
      wish.resolve(value);
      this.grant();
    });
  }
}

/** One browser; `tab()` opens a page in it. */
export class World {
  sources = [];
  channels = new Set();
  locks = new FakeLocks();
  asked = [];
  history = [];

  /** The globals of a tab. `more` replaces some of them. */
  globals(more = {}, storage = new Map()) {
    const world = this;
    const env = {
      EventSource: function EventSource(url) { return new FakeSource(world, url); },
      BroadcastChannel: function BroadcastChannel(name) { return world.channel(name); },
      navigator: { locks: this.locks },
      sessionStorage: { getItem: (key) => storage.get(key) ?? null, setItem: (key, value) => storage.set(key, value) },
      fetch: (url) => this.answer(url),
    };
    Object.defineProperties(env, Object.getOwnPropertyDescriptors(more));
    return env;
  }

  /** A tab; `storage` is what a reload of the same tab finds again. */
  tab(options = {}, storage = new Map()) {
    const env = this.globals(options.env, storage);
    const page = { events: [], states: [], reloads: [], deaf: false, storage };
    page.env = env;
    page.headrace = new Headrace({ query: "all=true", ...options, env });
    page.headrace.on("event", (event) => page.events.push(event.id));
    page.headrace.on("state", (state) => page.states.push(state));
    page.headrace.on("reload", (reload) => page.reloads.push(reload.reason));
    return page;
  }

  channel(name) {
    const channel = {
      name,
      postMessage: (data) => {
        const copy = structuredClone(data);
        for (const other of this.channels) {
          if (other !== channel && other.name === name && !other.deaf) {
            queueMicrotask(() => other.onmessage?.({ data: copy }));
          }
        }
      },
      close: () => this.channels.delete(channel),
    };
    this.channels.add(channel);
    this.latest = channel;
    return channel;
  }

  async answer(url) {
    const { searchParams } = new URL(url, "http://console");
    this.asked.push(Object.fromEntries(searchParams));
    const after = BigInt(searchParams.get("after").split("-")[0]);
    const items = this.history.filter(({ id }) => BigInt(id.split("-")[0]) > after);
    return { ok: true, json: async () => ({ items, next: null, gap: null }) };
  }

  get open() { return this.sources.filter(({ closed }) => !closed); }
  get source() { return this.sources.at(-1); }
}

export const event = (n, more = {}) => ({ id: `${n}-0`, type: "stream.withdrawn", streamId: "7", ...more });
