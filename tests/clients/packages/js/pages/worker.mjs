// A worker with a connection of its own: `share` is false.

import { Headrace } from "/node_modules/headrace/src/headrace.js";
import { reporter, storageError, subscribe } from "/client.mjs";

onmessage = ({ data: { client, url } }) => {
  const report = reporter(location.origin, client);
  addEventListener("unhandledrejection", ({ reason }) => report({ errors: String(reason) }));
  report({ storage: storageError() });
  subscribe(Headrace, report, { url, share: false });
};
