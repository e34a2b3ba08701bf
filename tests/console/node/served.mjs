/**
 * Lets Node import the console's modules as the API serves them: there, the folder `headrace` with the
 * client is beside the folder `js`. In the repository, the client is in clients/js/src/.
 */

import { register } from "node:module";

const client = new URL("../../../clients/js/src/", import.meta.url);
const hook = `
  const served = /^\\.\\.\\/headrace\\/(\\w+\\.js)$/;
  export const resolve = (name, context, next) =>
    next(served.test(name) ? name.replace(served, ${JSON.stringify(client.href)} + "$1") : name, context);
`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
