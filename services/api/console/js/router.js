/** Shows one view at a time: the view that the hash of the address names. */

import { h } from "./dom.js";
import { failurePlace } from "./failure.js";

const WITHIN = { events: "live", replay: "live" }; // views that belong to another entry of the menu

/** The parts of a hash: "#/streams/7?x=1" → [["streams", "7"], parameters]. */
export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  return [path.split("/").filter(Boolean).map(decodeURIComponent), new URLSearchParams(query)];
}

/** The address after a login: the same, and Streams if it names no other view than the login. Pure. */
export function viewAfter(hash) {
  const [[name = "login"]] = parse(hash);
  return name === "login" ? "#/streams" : hash;
}

/**
 * Show the view of the address whenever the address changes. `find(parts)` resolves to a function
 * that makes the view {title, node, stop?} from the context. The heading gets the focus, so that a
 * screen reader reads it.
 */
export function route(main, find, context) {
  let stop = null;
  let turn = 0;
  const show = async (event) => {
    const mine = ++turn;
    const [parts, parameters] = parse(location.hash);
    const make = await find(parts).catch((error) => notLoaded(error, show));
    if (mine !== turn) return; // another view was chosen meanwhile
    stop?.();
    const view = make({ ...context, parts, parameters });
    stop = view.stop ?? null;
    main.replaceChildren(view.node);
    document.title = `${view.title} – Headrace`;
    for (const link of document.querySelectorAll(".top nav a")) {
      const here = link.getAttribute("href") === `#/${WITHIN[parts[0]] ?? parts[0] ?? "live"}`;
      if (here) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (event) {
      scrollTo(0, 0);
      main.querySelector("h1")?.focus({ preventScroll: true });
    }
  };
  addEventListener("hashchange", show);
  show();
}

/** A view in place of one whose module could not be loaded. */
function notLoaded(error, again) {
  const failed = failurePlace(again);
  failed.show(error);
  return () => ({ title: "Not loaded", node: h("section", {}, h("h1", { tabindex: -1 }, "Not loaded"), failed.node) });
}

/** Write parameters into the address, without a new entry in the browser's history. */
export function remember(path, parameters) {
  const given = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value));
  history.replaceState(null, "", `#/${path}${given.size ? `?${given}` : ""}`);
}

/** A box for an empty list or view: it says why there is nothing to show. */
export const empty = (words, ...more) => h("div", { class: "empty" }, h("p", {}, words), ...more);
