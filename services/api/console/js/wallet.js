/**
 * The wallet Freighter in this browser. If the page has Freighter's library, we call the library; else
 * we send messages to the extension.
 */

const REQUEST = "FREIGHTER_EXTERNAL_MSG_REQUEST";
const RESPONSE = "FREIGHTER_EXTERNAL_MSG_RESPONSE";

/** {account(): Promise<string>, sign(xdr, passphrase, account): Promise<string>}, or null without wallet. */
export function wallet() {
  if (window.freighterApi) return byLibrary(window.freighterApi);
  return window.freighter ? byMessages : null;
}

function checked(answer, value) {
  const error = answer?.error ?? answer?.apiError;
  if (error || !value) throw new Error(error?.message ?? error ?? "The wallet did not answer.");
  return value;
}

const byLibrary = (api) => ({
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
  async account() {
    const answer = await say({ type: "REQUEST_ACCESS" });
    return checked(answer, answer.publicKey);
  },
  async sign(transactionXdr, networkPassphrase, accountToSign) {
    const answer = await say({ type: "SUBMIT_TRANSACTION", transactionXdr, networkPassphrase, accountToSign });
    return checked(answer, answer.signedTransaction);
  },
};

function say(message) {
  const messageId = Date.now() + Math.random();
  return new Promise((resolve) => {
    const hear = ({ source, data }) => {
      // The extension spells the field `messagedId`.
      if (source !== window || data?.source !== RESPONSE || data.messagedId !== messageId) return;
      removeEventListener("message", hear);
      resolve(data);
    };
    addEventListener("message", hear);
    window.postMessage({ source: REQUEST, messageId, ...message }, location.origin);
  });
}
