/**
 * Compares the transaction that the server has prepared with what the reader asked for. The page reads the
 * transaction itself, so a wrong answer of the server does not get a signature. Pure.
 *
 * See docs/decisions/0118-a-wallet-signs-what-the-page-has-read.md.
 */

import { bytesOf, hashOf, readEnvelope } from "./envelope.js";

const FUNCTIONS = { create: "create_stream", top_up: "top_up_stream", withdraw: "withdraw", pause: "pause_stream", resume: "resume_stream", cancel: "cancel_stream" };

/** What the page cannot see in the transaction. */
export const NOT_CHECKED = "what the contract does when it is called, and the amounts that the server computed in advance";

/** The arguments of the call for a request, in the order of the contract. */
function argumentsOf({ action, source, streamId, recipient, token, amount, duration }) {
  const party = `address ${source}`;
  if (action === "create") return [party, `address ${recipient}`, `address ${token}`, `i128 ${amount}`, `u64 ${duration}`];
  return [party, `u64 ${streamId}`, ...(action === "top_up" ? [`i128 ${amount}`] : [])];
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const plain = ({ contract, function: name, arguments: values }) => ({ contract, function: name, arguments: values });

/** True if the account agrees to nothing but the call, and to transfers of the amount into the contract. */
function isAgreed({ call, agreed, source }, { action, amount }, token) {
  const most = action === "create" || action === "top_up" ? BigInt(amount) : 0n;
  return agreed.every(({ below, ...root }) => {
    const transfers = below.map((each) => transferOf(each, source, token, call.contract));
    return same(plain(root), call) && transfers.every((each) => each !== null) &&
      transfers.reduce((sum, each) => sum + each, 0n) <= most;
  }) && agreed.length <= 1;
}

/** The amount of a transfer from the account into the contract; null if it is something else. */
function transferOf({ contract, function: name, arguments: values, below }, source, token, to) {
  const [from, target, amount = ""] = values;
  const isTransfer = contract === token && name === "transfer" && !below.length && values.length === 3 &&
    from === `address ${source}` && target === `address ${to}`;
  const found = isTransfer && /^i128 (\d+)$/.exec(amount);
  return found ? BigInt(found[1]) : null;
}

/**
 * What differs, as sentences; an empty list if nothing does. `request` is what was asked, `known` is
 * {contract, token, network}: what the page knows without this answer. `contract` may be missing.
 */
export async function differences(request, prepared, known) {
  let envelope;
  let hash;
  try {
    const bytes = bytesOf(prepared.xdr);
    envelope = readEnvelope(bytes);
    hash = await hashOf(bytes, prepared.networkPassphrase);
  } catch (error) {
    return [error.message];
  }
  const { call } = envelope;
  const isRestore = prepared.action === "restore";
  const wanted = { contract: known.contract ?? prepared.contract, function: FUNCTIONS[request.action], arguments: argumentsOf(request) };
  return [
    [prepared.networkPassphrase === known.network, `It is for another network: ${prepared.networkPassphrase}`],
    [!hash || hash === prepared.hash, "Its hash is another one than the server says"],
    [envelope.source === request.source, `Its account is ${envelope.source}`],
    [String(envelope.fee) === prepared.fee.total, `Its fee can be ${envelope.fee} stroops`],
    [Number(envelope.maxTime) === prepared.timeBounds.maxTime && envelope.maxTime > 0n, "It is valid for another time"],
    [prepared.action === request.action || isRestore, `It is for another action: ${prepared.action}`],
    [isRestore === (call === null), "It does something else than the server says"],
    [!call || call.contract === wanted.contract, `It calls another contract: ${call?.contract}`],
    [!call || call.function === wanted.function, `It calls another function: ${call?.function}`],
    [!call || same(call.arguments, wanted.arguments), `It has other arguments: ${call?.arguments.join(", ")}`],
    [!call || isAgreed(envelope, request, known.token), "It would let the contract do more with your account"],
  ].filter(([isRight]) => !isRight).map(([, words]) => `${words}.`);
}
