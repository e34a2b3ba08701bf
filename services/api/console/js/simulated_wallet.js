/**
 * The wallet of the sandbox: it signs for the accounts of the simulated network, without asking anybody.
 * Only `make run` has it. See docs/decisions/0118-a-wallet-signs-what-the-page-has-read.md.
 */

import { get, post } from "./api.js";

const PATH = "/sandbox/wallet";

/** The wallet; null if this sandbox has none. */
export async function simulatedWallet() {
  const { accounts = [] } = await get(PATH).catch(() => ({}));
  if (!accounts.length) return null;
  const addresses = accounts.map(({ address }) => address);
  return {
    name: "the simulated wallet",
    suggested: addresses[0],
    warning: "Simulated wallet: signs without asking. Everybody knows its keys. The money is not real.",
    async account(wanted) {
      if (addresses.includes(wanted)) return wanted;
      throw new Error(`The simulated wallet has no key of ${wanted}.`);
    },
    async sign(xdr, networkPassphrase, account) {
      return (await post(PATH, { xdr, networkPassphrase, account })).signedXdr;
    },
  };
}
