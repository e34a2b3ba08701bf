// @ts-check
/**
 * Web Storage that also works if the browser denies it. If site data is blocked, or in a frame without
 * an origin, reading `localStorage` throws a SecurityError (WHATWG HTML, "localStorage"). Writing to a
 * full storage throws too. Values that cannot be stored are kept in memory while the page is open.
 */
export class Storage {
  #env; #kind; #memory = new Map();

  /** @param {any} env the window, or a substitute in tests  @param {"localStorage" | "sessionStorage"} kind */
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

  /** Store a value; null removes it. */
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
