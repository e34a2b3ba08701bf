/** The login of the user. All tabs of the user share the token. */

import { Storage } from "../headrace/storage.js";

const KEPT = "headrace login";
const storage = new Storage(globalThis, "localStorage");

function read() {
  try {
    const { token } = JSON.parse(storage.get(KEPT)) ?? {};
    const body = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const { sub, scope = "", exp } = JSON.parse(atob(body));
    return exp * 1000 > Date.now() ? { token, account: sub, scopes: scope.split(" "), expires: exp } : {};
  } catch {
    return {};
  }
}

class Session {
  /** "open": no login is needed; "required": the user has to log in. Set when the page starts. */
  mode = "open";
  #kept = read();

  get token() { return this.#kept.token ?? ""; }
  get account() { return this.#kept.account ?? ""; }
  get needed() { return this.mode === "required" && !this.token; }

  /** True if the user may see all events. */
  get seesAll() {
    const { scopes = [] } = this.#kept;
    return this.mode === "open" || scopes.includes("events:all") || scopes.includes("admin");
  }

  /** True if the user may see the system view. */
  get isAdmin() { return this.mode === "open" || (this.#kept.scopes ?? []).includes("admin"); }

  /** Store a token; "" removes the stored token. Throws if the token is not valid. */
  keep(token) {
    storage.set(KEPT, token ? JSON.stringify({ token }) : null);
    this.#kept = read();
    if (token && !this.token) throw new Error("This is not a valid token, or it has expired.");
  }

  /** Remove the token, because the API rejected it, and show the login. The address stays: it is shown afterwards. */
  lost() {
    if (this.mode !== "required" || !this.token) return;
    this.keep("");
    dispatchEvent(new HashChangeEvent("hashchange")); // the router shows the login
  }

  /** Get a ticket for an EventSource. First refreshes a token that expires soon. Errors have `status`. */
  async ticket() {
    if (this.#kept.expires * 1000 - Date.now() < 120_000) await this.#refresh();
    try {
      return (await this.#post("/v1/events/ticket")).ticket;
    } catch (error) {
      if (error.status === 401) this.lost();
      throw error;
    }
  }

  /** Log out: end the token on the server and in all tabs. */
  async logOut() {
    await this.#post("/v1/auth/logout").catch(() => {});
    this.keep("");
  }

  /** Refresh the token. Only tokens of wallet logins can be refreshed; other tokens are kept until they expire. */
  async #refresh() {
    const fresh = await this.#post("/v1/auth/refresh").catch(() => null);
    if (fresh) this.keep(fresh.token);
  }

  async #post(path) {
    const answer = await fetch(path, { method: "POST", headers: { Authorization: `Bearer ${this.token}` } });
    if (answer.ok) return answer.status === 204 ? null : answer.json();
    throw Object.assign(new Error(`${path} answered with status ${answer.status}`), { status: answer.status });
  }
}

/** The login of this page. */
export const session = new Session();

/** Call `act` when another tab logs in or out. */
export const onLoginElsewhere = (act) =>
  addEventListener("storage", (event) => { if (event.key === KEPT) act(); });
