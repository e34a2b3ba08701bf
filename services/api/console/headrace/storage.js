// @ts-check
/**
 * Web Storage that may be denied. A browser that blocks site data, or a frame without an origin,
 * throws SecurityError as soon as `localStorage` is read (WHATWG HTML, "localStorage"). A full storage
 * throws when it is written. Values that cannot be stored are kept as long as the page lives.
 */
export class Storage {
  #env; #kind; #memory = new Map();

  /** @param {any} env the window, or what stands for it  @param {"localStorage" | "sessionStorage"} kind */
  constructor(env, kind) {
    this.#env = env;
    this.#kind = kind;
  }

  /** The value, or null. */
  get(key) {
    if (this.#memory.has(key)) return this.#memory.get(key);
    try {
      return this.#env[this.#kind].getItem(key);
    } catch {
      return null;
    }
  }

  /** Keep a value; null removes it. */
  set(key, value) {
    this.#memory.delete(key);
    try {
      if (value === null) this.#env[this.#kind].removeItem(key);
      else this.#env[this.#kind].setItem(key, value);
    } catch {
      this.#memory.set(key, value);
    }
  }
}
