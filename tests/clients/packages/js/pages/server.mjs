// Renders the hook on a server. There, any request is an error.

import { createElement as h } from "react";
import { renderToString } from "react-dom/server";
import { useHeadrace } from "headrace/react";

globalThis.fetch = () => { throw new Error("a request on the server"); };

function Streams() {
  const live = useHeadrace({ url: "https://headrace.example", all: true });
  return h("pre", null, JSON.stringify(live));
}

process.stdout.write(renderToString(h(Streams)));
