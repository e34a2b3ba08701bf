import assert from "node:assert/strict";
import test from "node:test";
import { injectedWallets } from "../../../services/api/console/js/injected_wallets.js";

const TESTNET = "Test SDF Network ; September 2015";

async function only(window) {
  globalThis.window = window;
  const [wallet, ...others] = await injectedWallets();
  assert.deepEqual(others, []);
  return wallet;
}

test("Rabet signs for the network that it knows by another name", async () => {
  const asked = [];
  const rabet = await only({ rabet: {
    connect: async () => ({ publicKey: "G" }),
    sign: async (...given) => { asked.push(given); return { xdr: "signed" }; },
  } });
  assert.equal(await rabet.account(), "G");
  assert.equal(await rabet.sign("xdr", TESTNET, "G"), "signed");
  assert.deepEqual(asked, [["xdr", "testnet"]]);
  await assert.rejects(() => rabet.sign("xdr", "another", "G"), { message: 'Rabet does not know the network "another".' });
});

test("an error that Klever returns is an error", async () => {
  const klever = await only({ kleverWallet: { stellar: { getAddress: async () => ({ error: { message: "declined" } }) } } });
  await assert.rejects(() => klever.account(), { message: "declined" });
});

test("an empty answer is an error", async () => {
  const hana = await only({ hanaWallet: { stellar: { getPublicKey: async () => "" } } });
  await assert.rejects(() => hana.account(), { message: "Hana did not answer." });
});

test("without an extension there is no wallet", async () => {
  globalThis.window = {};
  assert.deepEqual(await injectedWallets(), []);
});
