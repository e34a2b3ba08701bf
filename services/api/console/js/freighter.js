/**
 * The wallet Freighter in this browser. If the page has Freighter's library, we call the library; else
 * we send messages to the extension. The page loads no script of another host for this.
 */

const REQUEST = "FREIGHTER_EXTERNAL_MSG_REQUEST";
const RESPONSE = "FREIGHTER_EXTERNAL_MSG_RESPONSE";
const PATIENCE = 2000; // milliseconds in which an extension answers; nobody answers if there is none
const NAME = "Freighter";

let looked = null;

/** The wallet, or null if there is none. An extension that is not seen yet is asked, once for each page. */
export function freighter() {
  if (window.freighterApi) return Promise.resolve(byLibrary(window.freighterApi));
  looked ??= isThere().then((found) => (found ? byMessages : null));
  return looked;
}

async function isThere() {
  if (window.freighter) return true;
  const answer = await say({ type: "REQUEST_CONNECTION_STATUS" }, PATIENCE);
  return Boolean(answer?.isConnected);
}

function checked(answer, value) {
  const error = answer?.apiError ?? answer?.error;
  if (error || !value) throw new Error(error?.message ?? error ?? "The wallet did not answer.");
  return value;
}

const byLibrary = (api) => ({
  name: NAME,
  async account() {
    const answer = await api.requestAccess();
    return checked(answer, answer?.address ?? answer); // older versions return only the text
  },
  async sign(transaction, networkPassphrase, address) {
    const answer = await api.signTransaction(transaction, { networkPassphrase, address, accountToSign: address });
    return checked(answer, answer?.signedTxXdr ?? answer);
  },
});

const byMessages = {
  name: NAME,
  async account() {
    const answer = await say({ type: "REQUEST_ACCESS" });
    return checked(answer, answer.publicKey);
  },
  async sign(transactionXdr, networkPassphrase, accountToSign) {
    const answer = await say({ type: "SUBMIT_TRANSACTION", transactionXdr, networkPassphrase, accountToSign });
    return checked(answer, answer.signedTransaction);
  },
};

/** Send a message to the extension. Resolves to its answer, or to null after `patience` milliseconds. */
function say(message, patience = null) {
  const messageId = Date.now() + Math.random();
  return new Promise((resolve) => {
    const end = (answer) => {
      removeEventListener("message", hear);
      resolve(answer);
    };
    const hear = ({ source, data }) => {
      // The extension spells the field `messagedId`.
      if (source === window && data?.source === RESPONSE && data.messagedId === messageId) end(data);
    };
    addEventListener("message", hear);
    if (patience !== null) setTimeout(end, patience, null);
    window.postMessage({ source: REQUEST, messageId, ...message }, location.origin);
  });
}
