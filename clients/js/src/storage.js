// @ts-check
/**
 * Web Storage that also works if the browser denies access. If the user blocks site data, or if the
 * frame has no origin, reading `localStorage` throws a SecurityError (WHATWG HTML, "localStorage").
 * Writing to a full storage throws too. A value that cannot be stored is kept in memory while the page
 * is open.
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

  /** Store a value. `null` removes the stored value. */
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
