// An app with the hook, which the tests control through `window.app`.

import { createElement as h, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { useHeadrace } from "headrace/react";

const app = (window.app = { renders: 0, shown: null, mount, unmount });
let root;

function Streams({ options }) {
  const { streams, events, state, lag, error } = useHeadrace(options);
  app.renders++;
  app.shown = { streams, events, state, lag, error: error && error.message };
  const rows = streams.map(({ id, status, version }) => h("li", { key: id, id, "data-version": version }, status));
  return h("main", { "data-state": state }, h("ul", null, ...rows));
}

/** Render with these options; a second call renders the same app again. */
function mount(options) {
  root ??= createRoot(document.getElementById("root"));
  root.render(h(StrictMode, null, h(Streams, { options })));
}

function unmount() {
  root.unmount();
  root = null;
}
