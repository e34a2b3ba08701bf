/**
 * The wallets that can sign in this browser. A wallet is
 *
 *     {name, warning?, suggested?, account(wanted): Promise<string>, sign(xdr, passphrase, account): Promise<string>}
 *
 * `account` returns the address that the user gives to this page; `wanted` is the one that the page needs.
 * `sign` returns the signed envelope. Both reject with an Error whose message is for the user. `warning` is
 * shown before and while the wallet signs. `suggested` is an account that the wallet has, if it says so
 * without asking the user.
 *
 * See docs/decisions/0118-a-wallet-signs-what-the-page-has-read.md.
 */

import { freighter } from "./freighter.js";
import { injectedWallets } from "./injected_wallets.js";
import { simulatedWallet } from "./simulated_wallet.js";

/** All wallets of this browser, the best first. `hasSandbox`: this server is a `make run`. */
export async function wallets(hasSandbox) {
  const found = await Promise.all([freighter(), injectedWallets(), hasSandbox ? simulatedWallet() : null]);
  return found.flat().filter(Boolean);
}

/** The account of a wallet, which must be `wanted`. */
export async function accountOf(wallet, wanted) {
  const account = await wallet.account(wanted);
  if (account === wanted) return account;
  throw new Error(`The account of ${wallet.name} is ${account}. Only ${wanted} can do this: choose this account in the wallet.`);
}
