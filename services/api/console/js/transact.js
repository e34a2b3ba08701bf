/**
 * The dialog that changes a stream on the chain: the server prepares a transaction, the reader reads what
 * will be signed, a wallet signs it, the server sends it, and the page waits for its event. Nothing is
 * prepared, signed or sent a second time without a click.
 *
 * See docs/decisions/0118-a-wallet-signs-what-the-page-has-read.md.
 */

import { mayPass } from "../headrace/answers.js";
import { followTransaction, prepareTransaction, submitTransaction } from "../headrace/transactions.js";
import { differences } from "./agreement.js";
import { ask } from "./api.js";
import { h, replaceContent, say } from "./dom.js";
import { nameOf } from "./events.js";
import { sentenceOf } from "./failure.js";
import { isExpired, review, titleOf } from "./review.js";
import { session } from "./session.js";
import { moves } from "./ticker.js";
import { accountOf, wallets } from "./wallet.js";

const STYLE = "/console/css/transact.css"; // not in index.html, because most readers only look
const server = { fetch: ask };
const EXPIRED = "The transaction has expired. It is in no ledger and never will be: nothing has changed, and no fee was charged.";
const NO_WALLET = "No wallet was found in this browser. Install one, such as Freighter, and allow it on this page.";

/**
 * Open the dialog. `request` is that of POST /v1/transactions; its `source` is the account that must act.
 * `stream` is the stream as it is now, or null. `context` is that of the view. `done` is called when the
 * event of the transaction has arrived.
 */
export function transact(request, stream, { headrace, places, hasSandbox }, done = () => {}) {
  if (!document.querySelector(`link[href="${STYLE}"]`)) document.head.append(h("link", { rel: "stylesheet", href: STYLE }));
  const known = { contract: stream?.contractId, token: request.token ?? stream?.tokenAddress, network: places.network };
  const gone = new AbortController();
  const title = h("h2", { id: "transact-title", tabindex: -1 }, titleOf(request));
  const place = h("div", { class: "transact" });
  const said = h("p", { role: "status" });
  const failed = h("p", { class: "bad", role: "alert" });
  const close = h("button", { type: "button", class: "quiet", click: () => dialog.close() }, "Close");
  const buttons = h("div", { class: "buttons" }, close);
  const dialog = h("dialog", { class: "wide", "aria-labelledby": title.id, close: leave }, title, place, said, failed, buttons);
  document.body.append(dialog);
  dialog.showModal();
  title.focus();
  choose();

  function leave() {
    gone.abort(new Error("The dialog is closed."));
    dialog.remove();
  }

  /** Show a state: its words, and the one button that goes on. */
  function show(words, label = "", act = () => {}, kind = "main") {
    say(said, words);
    say(failed, "");
    buttons.replaceChildren(close, ...(label ? [h("button", { type: "button", class: kind, click: act }, label)] : []));
    if (!dialog.contains(document.activeElement)) title.focus();
  }

  /** Show an error with the button that helps. */
  function refuse(error, label = "", act = () => {}) {
    if (gone.signal.aborted) return;
    if (error.status === 401) session.lost();
    show("", label, act);
    say(failed, sentenceOf(error));
  }

  async function choose() {
    show("Looking for a wallet …");
    const found = await wallets(hasSandbox);
    if (found.length < 2) return prepare(found[0] ?? null);
    show("Which wallet shall sign?");
    return buttons.append(...found.map((wallet) => h("button", { type: "button", click: () => prepare(wallet) }, `Use ${wallet.name}`)));
  }

  async function prepare(wallet) {
    replaceContent(place);
    show("The transaction is being prepared …");
    try {
      if (wallet) await accountOf(wallet, request.source);
      const prepared = await prepareTransaction(server, request);
      const wrong = await differences(request, prepared, known);
      if (gone.signal.aborted) return;
      if (wrong.length) return refuse(new Error(`Do not sign this. The server has prepared something else than you asked for. ${wrong.join(" ")}`));
      offer(wallet, prepared);
    } catch (error) {
      refuse(error, "Try again", () => prepare(wallet));
    }
  }

  /** Show what will be signed. The button is replaced when the time is over. */
  function offer(wallet, prepared) {
    const warning = wallet?.warning && h("p", { class: "warning" }, wallet.warning);
    const content = review(request, prepared, stream);
    replaceContent(place, ...[warning, content].filter(Boolean));
    if (!wallet) return refuse(new Error(NO_WALLET), "Look again", choose);
    show("", `Sign with ${wallet.name}`, () => sign(wallet, prepared));
    return moves(content, () => {
      if (!isExpired(prepared) || content.dataset.used) return;
      content.dataset.used = "expired";
      expired(wallet);
    });
  }

  async function sign(wallet, prepared) {
    if (isExpired(prepared)) return expired(wallet);
    place.querySelector(".review").dataset.used = "signed";
    show(`Confirm it in ${wallet.name} …`);
    let signed;
    try {
      signed = await wallet.sign(prepared.xdr, prepared.networkPassphrase, prepared.source);
    } catch (error) {
      return refuse(error, `Sign with ${wallet.name}`, () => sign(wallet, prepared));
    }
    const arrival = arrivalOf(prepared); // before it is sent, so that no event is missed
    if (!gone.signal.aborted) await submit(wallet, prepared, signed, arrival);
  }

  function expired(wallet) {
    refuse(new Error("The time of this transaction is over. It was not signed, and nothing was sent."), "Prepare again", () => prepare(wallet));
  }

  /** Send it. The same envelope can be sent again: the server sends a transaction once. */
  async function submit(wallet, prepared, signed, arrival) {
    show("The transaction is being sent …");
    try {
      await submitTransaction(server, signed);
    } catch (error) {
      if (mayPass(error)) return refuse(error, "Send the same again", () => submit(wallet, prepared, signed, arrival));
      return refuse(error, "Prepare again", () => prepare(wallet));
    }
    return follow(wallet, prepared, arrival);
  }

  /** Resolves to the last event of the transaction when it is in the live list. */
  function arrivalOf({ hash, events }) {
    const type = events.at(-1)?.type;
    return new Promise((resolve) => {
      const stop = headrace.on("event", (event) => { if (event.txHash === hash && event.type === type) resolve(event); });
      gone.signal.addEventListener("abort", stop, { once: true });
    });
  }

  async function follow(wallet, prepared, arrival) {
    show("Sent. The network decides within seconds …");
    try {
      await settled(wallet, prepared, arrival, await followTransaction(server, prepared.hash, { signal: gone.signal }));
    } catch (error) {
      refuse(error, "Look again", () => follow(wallet, prepared, arrival)); // it may be in a ledger: never prepare another one
    }
  }

  async function settled(wallet, prepared, arrival, { status, ledger, error }) {
    const again = ["Prepare again", () => prepare(wallet)];
    if (status === "expired") return refuse(new Error(EXPIRED), ...again);
    if (status === "failed") return refuse(new Error(`The transaction has failed in ledger ${ledger}. ${error?.detail ?? ""} Its fee was charged.`), ...again);
    if (prepared.action === "restore") return show("Restored. Now the stream can be changed.", "Continue", () => prepare(wallet));
    show(`It is in ledger ${ledger}. Its event is on the way …`);
    return finish(prepared.hash, await arrival);
  }

  function finish(hash, event) {
    if (gone.signal.aborted) return;
    const link = (href, words) => h("a", { href, click: () => dialog.close() }, words);
    show("");
    said.append(`Done: ${nameOf(event.type)[0]}, in ledger ${event.ledger}. `,
      request.action === "create" ? link(`#/streams/${event.streamId}`, "See the stream") : link(`#/live?tx=${hash}`, "See the events of this transaction"));
    dialog.dataset.settled = hash;
    done(event);
  }
}
