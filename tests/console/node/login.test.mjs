import assert from "node:assert/strict";
import { test } from "node:test";

import { viewAfter } from "../../../services/api/console/js/router.js";

test("a login returns to the view of the address, or to Streams", () => {
  for (const hash of ["#/webhooks", "#/streams/7?x=1", "#/logins"]) assert.equal(viewAfter(hash), hash);
  for (const hash of ["", "#", "#/", "#/login", "#/login?x=1"]) assert.equal(viewAfter(hash), "#/streams");
});
