// @ts-check
/**
 * Brings events of payment streams from a Headrace fanout into a page, a worker or a process of Node;
 * each event arrives once.
 *
 * - All tabs of a user share one EventSource. Web Locks choose the leader, the tab that opens the
 *   EventSource. The leader sends the events to the other tabs (BroadcastChannel). If the leader closes
 *   or is silent, another tab becomes the leader.
 * - After a lost connection, a new leader or a reload, the page continues after its last event.
 * - `follow` combines a snapshot with the events after it, and loads the snapshot again after a gap.
 *
 *     const headrace = new Headrace({ url: "https://headrace.example", all: true });
 *     headrace.on("event", (event) => console.log(event.type, event.streamId));
 *     headrace.on("state", ({ status, reason }) => console.log(status, reason));
 *
 * Types: headrace.d.ts. Guide: docs/clients/javascript.md. Events: docs/events.md. This module needs no
 * other library and no build step.
 *
 * See docs/decisions/0029-one-connection-for-all-tabs.md.
 */

import { comparePositions, EVENT_TYPES, Versions } from "./events.js";
import { follow } from "./follow.js";
import { complete } from "./options.js";
import { Source } from "./source.js";
import { Storage } from "./storage.js";

export { comparePositions, EVENT_TYPES, Versions };

const KNOWN_TYPES = new Set(EVENT_TYPES);

/** A user's subscription, shared by the user's tabs. */
export class Headrace {
  #begin; #options; #name; #storage; #listeners = new Map(); #source; #channel = null; #held = null;
  #waiting = null; #release = null; #timer; #closed = false;

  /** The state of the connection. Each change makes a new object. */
  state = { status: "connecting", leader: false, reason: "", lagSeconds: null, ledger: null };
  /** The last position that this page has seen. */
  position = null;
  /** Resolves when the subscription has started. From then on no event is missed. */
  begun = new Promise((resolve) => { this.#begin = resolve; });

  /** @param {import("./headrace.js").Options} options */
  constructor(options) {
    this.#options = complete(options);
    const { user, url, query } = this.#options;
    this.#name = `headrace ${user} ${url}?${query}`;
    this.#storage = new Storage(this.#options.env, "sessionStorage");
    this.#moved(this.#stored());
    this.#source = new Source(this.#options, {
      position: () => this.position,
      heard: () => this.#alive(),
      state: (change) => this.#tell(change),
      frame: (name, data, id) => this.#arrived(name, data, id),
    });
    this.#alive();
    this.#join();
  }

  /** Call `listener` on "event", "state" or "reload". Returns a function that removes the listener. */
  on(name, listener) {
    if (!this.#listeners.has(name)) this.#listeners.set(name, new Set());
    this.#listeners.get(name).add(listener);
    return () => this.#listeners.get(name).delete(listener);
  }

  /** Load a snapshot and apply the events after it. Returns a function that stops this. See follow.js. */
  follow(what) {
    return follow(this, what, () => this.#closed);
  }

  /** Close. Another tab takes over the connection. */
  close() {
    this.#closed = true;
    this.#source.close();
    clearTimeout(this.#timer);
    this.#waiting?.abort();
    this.#release?.();
    this.#channel?.close();
    this.#tell({ status: "closed", leader: false });
  }

  #join() {
    const { env, share } = this.#options;
    // Node and pages that are no secure context have no locks.
    if (!share || !env.navigator?.locks || !env.BroadcastChannel) return this.#lead();
    try {
      this.#channel = new env.BroadcastChannel(this.#name);
    } catch {
      return this.#lead(); // this frame may share nothing
    }
    this.#channel.onmessage = ({ data }) => this.#overheard(data);
    this.#channel.postMessage({ hello: true });
    return this.#stand();
  }

  /** Wait for the lock, or take it from another tab (`steal`). The holder opens the connection. */
  #stand(steal = false) {
    this.#waiting?.abort();
    const waiting = (this.#waiting = new AbortController());
    const hold = () => {
      if (this.#closed) return undefined;
      this.#lead();
      return new Promise((resolve) => { this.#release = resolve; });
    };
    const how = steal ? { steal } : { signal: waiting.signal };
    this.#options.env.navigator.locks.request(this.#name, how, hold).catch((error) => {
      if (waiting.signal.aborted || this.#closed) return;
      if (error.name === "SecurityError") return this.#leadAlone();
      this.#source.close(); // another tab stole the lock, because that tab had heard nothing from us
      this.#tell({ leader: false });
      this.#stand();
    });
  }

  /** This frame may not use locks, for example because it has no origin. */
  #leadAlone() {
    this.#channel?.close();
    this.#channel = null;
    this.#lead();
  }

  #lead() {
    this.#tell({ leader: true });
    this.#source.open();
  }

  #overheard({ hello, state, position, frame }) {
    if (this.#closed) return;
    const { state: mine, position: here } = this;
    if (hello) return void (mine.leader && this.#channel.postMessage({ state: mine, position: here }));
    this.#alive();
    if (state && !this.state.leader) this.#tell({ ...state, leader: false });
    if (position) this.#take({ name: "position", data: {}, id: position, previous: position });
    if (frame) this.#take(frame);
  }

  #arrived(name, data, id) {
    if (name === "connected") this.#tell({ status: "live", reason: "" });
    if (name === "sync") this.#tell({ lagSeconds: data.lagSeconds, ledger: data.ledger });
    const frame = { name, data, id, previous: this.position };
    this.#channel?.postMessage({ frame });
    this.#take(frame);
  }

  /** Handle frames in order. Events that this tab has missed are read from the history first. */
  #take(frame) {
    if (this.#held) return void this.#held.push(frame);
    const { name, previous } = frame;
    const hole = this.position && previous && comparePositions(previous, this.position) > 0;
    if (!hole || name === "reset") return this.#deliver(frame);
    this.#held = [frame];
    return void this.#fill(previous);
  }

  async #fill(to) {
    const { history, query, fetch } = this.#options;
    const within = (id) => comparePositions(id, to) <= 0;
    try {
      for (let after = this.position; after && after !== to; ) {
        const answer = await fetch(`${history}?${query}&order=asc&limit=500&after=${after}`);
        if (!answer.ok) throw new Error(`the history answered with status ${answer.status}`);
        const { items, next, gap } = await answer.json();
        if (gap) this.#emit("reload", { reason: "gap", ...gap });
        for (const data of items.filter((event) => within(event.id))) {
          this.#deliver({ name: data.type, data, id: data.id });
        }
        after = next && within(next) ? next : null;
      }
    } catch (error) {
      this.#emit("reload", { reason: "unread", detail: error.message });
    }
    this.#moved(to);
    const held = this.#held;
    this.#held = null;
    held.forEach((frame) => this.#take(frame));
  }

  #deliver({ name, data, id }) {
    if (KNOWN_TYPES.has(name)) {
      if (this.#isPast(id)) return; // this page has the event already, for example from the history
      this.#moved(id);
      this.#emit("event", data);
    } else if (name === "reset" || name === "journal.reset") {
      this.position = null;
      this.#moved(id);
      this.#emit("reload", { ...data, reason: "reset", detail: data.reason });
    } else {
      this.#moved(id);
      if (name === "gap" || name === "chain.gap") this.#emit("reload", { ...data, reason: "gap" });
    }
  }

  #isPast(id) {
    return this.position !== null && comparePositions(id, this.position) <= 0;
  }

  #moved(id) {
    if (!id || this.#isPast(id)) return;
    this.position = id;
    this.#begin();
    this.#storage.set(this.#name, `${id} ${Date.now()}`);
  }

  #stored() {
    const [id, at] = (this.#storage.get(this.#name) ?? "").split(" ");
    return Date.now() - Number(at) < this.#options.resumeSeconds * 1000 ? id : null;
  }

  #alive() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#silent(), this.#options.silenceSeconds * 1000);
  }

  #silent() {
    this.#alive();
    const reason = `no data for ${this.#options.silenceSeconds} seconds`;
    if (this.state.leader) return this.#source.retry(reason);
    this.#tell({ status: "reconnecting", reason });
    if (this.#channel) this.#stand(true);
  }

  #tell(change) {
    this.state = { ...this.state, ...change };
    if (this.state.leader && !this.#closed) this.#channel?.postMessage({ state: this.state });
    this.#emit("state", this.state);
  }

  #emit(name, value) {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) listener(value);
  }
}
