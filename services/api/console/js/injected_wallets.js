/**
 * Wallets whose extension puts an object into each page: Hana, Klever and Rabet. The page loads no script of
 * another host for this. Wallets that need their own site or library (Albedo, xBull, Lobstr, WalletConnect)
 * are left out, because the content security policy allows no other host.
 */

const NETWORKS = {
  "Public Global Stellar Network ; September 2015": "mainnet",
  "Test SDF Network ; September 2015": "testnet",
};
const PATIENCE = 200; // milliseconds after which an extension has put its object into the page

const hana = (api) => ({
  name: "Hana",
  account: () => api.getPublicKey(),
  sign: (xdr, networkPassphrase, accountToSign) => api.signTransaction({ xdr, networkPassphrase, accountToSign }),
});

/** Klever has the methods of SEP-43, whose answers can have an `error`. */
const klever = (api) => ({
  name: "Klever",
  account: async () => checked(await api.getAddress()).address,
  sign: async (xdr, networkPassphrase, address) => checked(await api.signTransaction(xdr, { networkPassphrase, address })).signedTxXdr,
});

const rabet = (api) => ({
  name: "Rabet",
  account: async () => (await api.connect()).publicKey,
  async sign(xdr, networkPassphrase) {
    const network = NETWORKS[networkPassphrase];
    if (!network) throw new Error(`Rabet does not know the network "${networkPassphrase}".`);
    return (await api.sign(xdr, network)).xdr;
  },
});

function checked(answer) {
  if (answer.error) throw new Error(answer.error.message ?? answer.error);
  return answer;
}

/** A wallet whose errors are an Error with a sentence; some extensions reject with a text or an object. */
function spoken({ name, account, sign }) {
  const said = (act) => async (...given) => {
    let answer;
    try {
      answer = await act(...given);
    } catch (error) {
      throw error instanceof Error ? error : new Error(error?.message ?? String(error));
    }
    if (!answer) throw new Error(`${name} did not answer.`);
    return answer;
  };
  return { name, account: said(account), sign: said(sign) };
}

/** The wallets of this page. Some extensions need a moment after the page has loaded. */
export async function injectedWallets() {
  await new Promise((resolve) => { setTimeout(resolve, PATIENCE); });
  const found = [[hana, window.hanaWallet?.stellar], [klever, window.kleverWallet?.stellar], [rabet, window.rabet]];
  return found.filter(([, api]) => api).map(([wallet, api]) => spoken(wallet(api)));
}
