/** What the user may see: parameters of the API for all events, or for those of the account. */

import { session } from "./session.js";

/** The account of a user who sees only the streams of this account; else "". */
export const ownAccount = () => (session.seesAll ? "" : session.account);

/** The parameters of GET /v1/events for everything that the user may see. */
export const everything = () => (ownAccount() ? { users: ownAccount() } : { all: "true" });
