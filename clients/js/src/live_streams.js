// @ts-check
/**
 * The streams of a subscription, kept current for a user interface: a snapshot and the events after it.
 * The connection opens with the first listener, and closes after the last one. Creating an object does
 * nothing, so it may be created on a server.
 */

import { Headrace, Versions } from "./headrace.js";
import { complete, listOf } from "./options.js";
import { loadSnapshot } from "./snapshot.js";

/** What is known before the first answer. */
export const NOTHING = Object.freeze({
  streams: Object.freeze([]), events: Object.freeze([]), state: "connecting", lag: null, error: null,
});

export class LiveStreams {
  #options; #completed = null; #headrace = null; #stop = () => {}; #listeners = new Set(); #timer = null; #loads = 0;
  #streams = new Map(); #versions = new Versions(); #current = NOTHING;

  constructor(options) {
    this.#options = { maxEvents: 100, maxStreams: 1000, ...options, query: undefined, types: undefined };
  }

  /** What is known now. It is the same object until something changes. */
  current = () => this.#current;

  /** Call `listener` after each change. Returns a function that removes it. */
  subscribe = (listener) => {
    this.#listeners.add(listener);
    if (!this.#headrace) this.#open();
    return () => {
      this.#listeners.delete(listener);
      // Not at once: React's StrictMode removes each listener and adds it again.
      queueMicrotask(() => { if (!this.#listeners.size) this.#close(); });
    };
  };

  #open() {
    this.#completed ??= complete(this.#options);
    const headrace = (this.#headrace = new Headrace(this.#options));
    this.#change({ state: headrace.state.status, events: NOTHING.events, error: null });
    headrace.on("state", (state) => this.#heard(state));
    this.#stop = headrace.follow({
      load: () => this.#load(),
      apply: (event) => this.#apply(event),
      failed: (error) => this.#change({ error }),
    });
  }

  #close() {
    this.#loads++;
    this.#stop();
    this.#headrace?.close();
    this.#headrace = null;
  }

  #heard({ status, reason, lagSeconds }) {
    const refused = status === "refused" ? { error: new Error(reason) } : {};
    this.#change({ state: status, lag: lagSeconds, ...refused });
  }

  async #load() {
    const turn = ++this.#loads;
    const { streams, position } = await loadSnapshot(this.#completed, this.#options, this.#options.maxStreams);
    if (turn !== this.#loads) return null; // a later load has replaced this one
    this.#streams = new Map();
    this.#versions = new Versions();
    streams.forEach((stream) => this.#put(stream));
    this.#change({ streams: this.#list(), error: null });
    return position;
  }

  #apply(event) {
    const events = [event, ...this.#current.events].slice(0, this.#options.maxEvents);
    const news = event.stream && this.#versions.isNews(event.stream);
    if (news) this.#put(event.stream);
    this.#change(news ? { events, streams: this.#list() } : { events });
  }

  /** Add or replace a stream, or remove one that does not belong to the subscription any more. */
  #put(stream) {
    if (this.#belongs(stream)) this.#streams.set(stream.id, stream);
    else this.#streams.delete(stream.id);
  }

  #belongs({ id, sender, recipient, acceptance }) {
    const { all, users, streams } = this.#options;
    const accounts = listOf(users);
    if (all || !accounts.length || listOf(streams).includes(id)) return true;
    return accounts.includes(sender) || (accounts.includes(recipient) && acceptance !== "hidden");
  }

  #list() {
    return [...this.#streams.values()].reverse();
  }

  /** Listeners are called once for all events that arrive together. */
  #change(change) {
    this.#current = Object.freeze({ ...this.#current, ...change });
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      for (const listener of [...this.#listeners]) listener();
    });
  }
}
