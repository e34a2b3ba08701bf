// node node.mjs NAME URL SERVER TOKEN: subscribes until stdin ends. Then it closes, and ends by itself.

import { Headrace } from "headrace";
import { reporter, storageError, subscribe } from "./client.mjs";

const [client, url, server, token] = process.argv.slice(2);
const report = reporter(server, client);
report({ storage: storageError(), native: typeof EventSource });
const headrace = subscribe(Headrace, report, { url, token });
process.stdin.on("end", () => headrace.close()).resume();
