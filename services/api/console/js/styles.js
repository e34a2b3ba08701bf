/** Style sheets of views that few readers see. They are not in index.html, and are loaded with the view. */

import { h } from "./dom.js";

/** Load a style sheet once. */
export function dress(name) {
  const href = `/console/css/${name}.css`;
  if (!document.querySelector(`link[href="${href}"]`)) document.head.append(h("link", { rel: "stylesheet", href }));
}
