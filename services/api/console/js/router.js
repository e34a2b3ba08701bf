/** Shows the view of the address (its hash), one view at a time. */

import { h } from "./dom.js";

/** The parts of a hash: "#/streams/7?x=1" → [["streams", "7"], parameters]. */
export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  return [path.split("/").filter(Boolean).map(decodeURIComponent), new URLSearchParams(query)];
}

/**
 * Show the view of each address. `find(parts)` returns a function that makes the view from the
 * context: {title, node, stop?}. The heading gets the focus, so that a screen reader reads it.
 */
export function route(main, find, context) {
  let stop = null;
  const show = (event) => {
    const [parts, parameters] = parse(location.hash);
    stop?.();
    const view = find(parts)({ ...context, parts, parameters });
    stop = view.stop ?? null;
    main.replaceChildren(view.node);
    document.title = `${view.title} – Headrace`;
    for (const link of document.querySelectorAll(".top nav a")) {
      const here = link.getAttribute("href") === `#/${parts[0] ?? "live"}`;
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

/** Write parameters into the address, without a new entry in the browser's history. */
export function remember(path, parameters) {
  const given = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value));
  history.replaceState(null, "", `#/${path}${given.size ? `?${given}` : ""}`);
}

/** A view without content that says why. */
export const empty = (words, ...more) => h("div", { class: "empty" }, h("p", {}, words), ...more);
