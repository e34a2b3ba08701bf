/** Starts the console: login, connection and views. */

import { Headrace } from "../headrace/headrace.js";
import { Storage } from "../headrace/storage.js";
import { ask, get } from "./api.js";
import { allNames, onNames } from "./book.js";
import { h, say } from "./dom.js";
import { useExplorer } from "./explorer.js";
import { failurePlace, sentenceOf } from "./failure.js";
import { short } from "./format.js";
import { empty, route } from "./router.js";
import { onLoginElsewhere, session } from "./session.js";
import { prepareNotice, showStatus } from "./status.js";
import { chooseUtc, inUtc, zoneName } from "./times.js";
import { chooseBaseUnits, inBaseUnits } from "./tokens.js";

const element = (id) => document.getElementById(id);

const nowhere = () => ({ title: "Not found", node: empty("This view does not exist.", h("a", { href: "#/live" }, "See the live events")) });

/**
 * The views. Each module is loaded when its view is first shown; index.html preloads those of Live. See
 * docs/decisions/0109-views-load-when-they-are-opened.md.
 */
const VIEWS = new Map([
  ["live", async () => (await import("./live.js")).live],
  ["streams", async () => (await import("./streams.js")).streams],
  ["streams/id", async () => (await import("./stream.js")).stream],
  ["events/id", async () => (await import("./event.js")).event],
  ["replay/id", async () => (await import("./replay.js")).replay],
  ["account", async () => (await import("./account.js")).account],
  ["webhooks", async () => (await import("./webhooks.js")).webhooks],
  ["webhooks/id", async () => (await import("./webhook.js")).webhook],
  ["system", async () => (await import("./system.js")).system],
  ["system/connections", async () => (await import("./connections.js")).connections],
  ["sandbox", async () => (await import("./sandbox.js")).sandbox],
  ["login", async () => (await import("./login.js")).login],
]);

/** The login view if the user must log in first, else the view of the address. */
async function find([name = "live", id]) {
  if (session.needed) return VIEWS.get("login")();
  const known = id && [`${name}/${id}`, `${name}/id`].find((each) => VIEWS.has(each));
  const load = VIEWS.get(known || name);
  return load ? load() : nowhere;
}

function theme() {
  const storage = new Storage(globalThis, "localStorage");
  const root = document.documentElement;
  element("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    storage.set("headrace theme", root.dataset.theme);
  });
}

/** The button that shows the exact numbers behind all amounts. */
function units() {
  const button = element("units");
  const show = () => button.setAttribute("aria-pressed", inBaseUnits());
  button.addEventListener("click", () => { chooseBaseUnits(!inBaseUnits()); show(); });
  show();
}

/** The zone of all times, and the button that shows them in UTC. */
function zone() {
  const button = element("utc");
  const show = () => {
    button.setAttribute("aria-pressed", inUtc());
    button.hidden = zoneName() === "UTC" && !inUtc(); // the browser's own zone is UTC
    say(element("zone"), zoneName());
  };
  button.addEventListener("click", () => { chooseUtc(!inUtc()); show(); });
  show();
}

/** The reader's names for addresses, as suggestions for the fields that take an address. */
function book() {
  const draw = () => element("book").replaceChildren(...allNames().map(([address, name]) => h("option", { value: address, label: name })));
  onNames(draw);
  draw();
}

function who() {
  if (session.mode === "open") return;
  if (!session.token) return;
  const leave = async () => { await session.logOut(); location.reload(); };
  element("who").append(
    h("a", { href: `#/account/${session.account}`, title: session.account }, short(session.account)), " ",
    h("button", { type: "button", class: "quiet", click: leave }, "Log out"));
}

/** The user's subscription: to all events if the user may see them, else to events of the account. */
function connect() {
  const required = session.mode === "required";
  return new Headrace({
    query: session.seesAll ? "all=true" : `users=${session.account}`,
    user: session.account,
    ticket: required ? () => session.ticket() : null,
    fetch: ask,
  });
}

async function start() {
  theme();
  units();
  zone();
  book();
  prepareNotice(element("notice"));
  element("main").replaceChildren(h("p", { class: "quiet-text", role: "status" }, "Loading …"));
  let places;
  let hasSandbox = false;
  try {
    places = await get("/", {}, ({ headers }) => { hasSandbox = headers.has("Headrace-Sandbox"); }); // sent by `make run` only
  } catch (error) {
    const failed = failurePlace(() => location.reload());
    failed.show(new Error(`The API cannot be reached: ${sentenceOf(error)}`));
    element("main").replaceChildren(h("h1", { tabindex: -1 }, "Headrace"), failed.node);
    setTimeout(() => location.reload(), 5000);
    return;
  }
  session.mode = places.authMode;
  useExplorer(places.explorer);
  say(element("network"), places.network);
  who();
  if (hasSandbox) document.querySelector(".top nav").append(h("a", { href: "#/sandbox" }, "Sandbox"));
  const headrace = session.needed ? null : connect();
  if (headrace) showStatus(headrace, element("status"), element("notice"), element("age"));
  onLoginElsewhere(() => location.reload());
  route(element("main"), find, { headrace, places, hasSandbox });
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // do not change the hash, which names the view
  element("main").focus();
});
start();
