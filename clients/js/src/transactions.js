// @ts-check
/**
 * Changes streams on the chain: the server prepares a transaction, a wallet signs it, the server sends it,
 * and the page follows it until it is settled. The server never has a key.
 *
 *     const prepared = await prepareTransaction({ url }, { action: "pause", source, streamId: "7" });
 *     const { hash } = await submitTransaction({ url }, await sign(prepared.xdr, prepared.networkPassphrase));
 *     const { status, ledger } = await followTransaction({ url }, hash);
 *
 * `connection` has the options `url`, `token` and `fetch` of a subscription. A call that fails throws an
 * error with `status`, `problem` and `retryAfter`. Types: transactions.d.ts.
 */

import { answerOf, mayPass } from "./answers.js";
import { complete } from "./options.js";

const PENDING = "pending";
const SOONEST = 1000; // milliseconds until the state is read again: a ledger closes every 5 seconds
const LATEST = 5000; // this time grows up to here, also while the server does not answer

/** Ask for a transaction that a wallet can sign. Nothing is sent to the network. */
export const prepareTransaction = (connection, request) => call(connection, "", request);

/**
 * Send a signed transaction. Resolves to its state. If the answer is lost, call it again with the same
 * `xdr`: the server sends each transaction once.
 */
export const submitTransaction = (connection, xdr) => call(connection, "/submit", { xdr });

/** The state of a transaction that was sent. */
export const transaction = (connection, hash) => call(connection, `/${encodeURIComponent(hash)}`);

/**
 * Read the state of a transaction until it is settled: `succeeded`, `failed` or `expired`. Then it never
 * changes again. `changed` gets each state that was read. While the server does not answer, this tries
 * again. Rejects if the server refuses, and with the reason of `signal` if that is aborted.
 */
export async function followTransaction(connection, hash, { signal, changed = () => {} } = {}) {
  complete(connection); // a wrong address is an error at once, not a server that does not answer
  for (let wait = SOONEST; ; wait = Math.min(LATEST, 1.5 * wait)) {
    signal?.throwIfAborted();
    const { retryAfter = null, ...now } = await transaction(connection, hash).catch(later);
    signal?.throwIfAborted();
    if (now.status) changed(now);
    if (now.status && now.status !== PENDING) return now;
    await pause(Math.max(wait, 1000 * (retryAfter ?? 0)), signal);
  }
}

async function call(connection, path, body = undefined) {
  const { api, fetch } = complete(connection);
  const headers = { Accept: "application/json", ...(body && { "Content-Type": "application/json" }) };
  const init = body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers };
  return (await answerOf(fetch, `${api}/v1/transactions${path}`, init)).json();
}

/** After these errors the same question can succeed. Other errors are thrown again. */
function later(error) {
  const isAnswer = error.status !== undefined || error instanceof TypeError; // or there was none: fetch's error
  if (isAnswer && mayPass(error)) return { retryAfter: error.retryAfter };
  throw error;
}

/** Wait, or reject when the signal is aborted. */
function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => { clearTimeout(timer); reject(signal.reason); };
    const timer = setTimeout(() => { signal?.removeEventListener("abort", stop); resolve(undefined); }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
