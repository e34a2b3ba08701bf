/** The login view: a wallet signs a challenge (SEP-10), or the user enters a token. */

import { get, post } from "./api.js";
import { field, h, say } from "./dom.js";
import { sentenceOf } from "./failure.js";
import { freighter } from "./freighter.js";
import { viewAfter } from "./router.js";
import { session } from "./session.js";

/** Log in with the wallet. Errors have a message for the user. */
async function withWallet(found) {
  const account = await found.account();
  const { transaction, network_passphrase: network } = await get("/v1/auth", { account });
  const signed = await found.sign(transaction, network, account);
  const { token } = await post("/v1/auth", { transaction: signed });
  session.keep(token);
}

/** The view. After the login the page reloads. */
export function login({ places }) {
  const said = h("p", { class: "bad", role: "alert" });
  const attempt = (act) => async (event) => {
    event.preventDefault();
    said.textContent = "";
    try {
      await act();
      history.replaceState(null, "", viewAfter(location.hash)); // only sets the address: the reload shows the view
      location.reload();
    } catch (error) {
      said.textContent = sentenceOf(error);
    }
  };
  const token = h("input", { type: "password", autocomplete: "off", required: true, spellcheck: "false" });
  const withToken = h("form", { submit: attempt(() => session.keep(token.value.trim())) },
    field("Token", token, "From your token issuer, or from `python -m services.api token` on the server."),
    h("button", { type: "submit" }, "Use this token"));
  return {
    title: "Log in",
    node: h("section", { class: "narrow" },
      h("h1", { tabindex: -1 }, "Log in"),
      h("p", {}, "You will see the streams that your account sends or receives, and you act as this account."),
      places.walletLogin && walletPart(attempt),
      h("div", { class: "card" }, h("h2", {}, "With a token"), withToken),
      said),
  };
}

function walletPart(attempt) {
  let found = null;
  const button = h("button", { type: "button", class: "main", disabled: true, click: attempt(() => withWallet(found)) },
    "Log in with Freighter");
  const about = h("p", { role: "status" }, "Looking for your wallet …");
  freighter().then((wallet) => {
    found = wallet;
    button.disabled = !found;
    say(about, found
      ? "The wallet signs a challenge, which is never sent to the network and costs nothing."
      : "No wallet found in this browser. Install Freighter and allow it on this page.");
  });
  return h("div", { class: "card" }, h("h2", {}, "With your wallet"), about, button);
}
