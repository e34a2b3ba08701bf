"""Changes of a stream on the chain with the wallets that a page can have.

The extension is a script in the page, and the keys are in the test. tests/system/test_wallet.py has
the stand-in wallet.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from stellar_sdk import TransactionEnvelope

from deploy.simulator.chain import accounts
from deploy.simulator.settings import SimulatorSettings
from tests.console.browser import User, user
from tests.console.signing import ALICE, BOB, dialog, fill, signed
from tests.support.installation import Installation
from tests.support.tier import one_in_test

pytestmark = [pytest.mark.io, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

EXTENSION = """addEventListener("message", async ({ source, data }) => {
  if (source !== window || data.source !== "FREIGHTER_EXTERNAL_MSG_REQUEST") return;
  const answer = await window.extension(data);
  postMessage({ source: "FREIGHTER_EXTERNAL_MSG_RESPONSE", messagedId: data.messageId, ...answer },
    location.origin);
});"""
"""What Freighter's content script does. Newer versions leave no sign in the page."""


PASSPHRASE = SimulatorSettings().network_passphrase
INJECTED = {
    "Hana": """window.hanaWallet = { stellar: {
      getPublicKey: () => window.account(),
      signTransaction: ({ xdr, networkPassphrase, accountToSign }) =>
        window.sign(xdr, networkPassphrase, accountToSign),
    } };""",
    "Klever": """window.kleverWallet = { stellar: {
      getAddress: async () => ({ address: await window.account() }),
      signTransaction: async (xdr, { networkPassphrase, address }) =>
        ({ signedTxXdr: await window.sign(xdr, networkPassphrase, address) }),
    } };""",
}
"""What the extensions put into a page. Rabet knows no simulated network: see the Node tests."""


class Freighter:
    """The extension behind the page. `requests` are the messages that it got."""

    def __init__(self) -> None:
        self.account = "alice"
        self.declines = False
        self.requests: list[dict[str, Any]] = []

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        self.requests.append(message)
        if message["type"] == "REQUEST_CONNECTION_STATUS":
            return {"isConnected": True}
        if message["type"] == "REQUEST_ACCESS":
            return {"publicKey": accounts.address(self.account)}
        assert message["type"] == "SUBMIT_TRANSACTION"
        if self.declines:
            words = "The user rejected this request."
            return {"error": words, "apiError": {"code": -4, "message": words}}
        xdr, passphrase = message["transactionXdr"], message["networkPassphrase"]
        envelope = TransactionEnvelope.from_xdr(xdr, passphrase)
        envelope.sign(accounts.keypair(self.account))
        signer = accounts.address(self.account)
        return {"signedTransaction": envelope.to_xdr(), "signerAddress": signer}


@pytest_asyncio.fixture(loop_scope="session")
async def payer(whole: Installation, browser: Browser) -> AsyncIterator[User]:
    async with user(browser, whole.url(whole.ports.gateway)) as payer:
        yield payer


@pytest_asyncio.fixture(loop_scope="session")
async def freighter(payer: User) -> Freighter:
    freighter = Freighter()
    await payer.context.expose_function("extension", freighter.answer)
    await payer.context.add_init_script(EXTENSION)
    return freighter


async def prepared(payer: User) -> Page:
    """A tab with the dialog about a new stream."""
    page = await payer.open("#/streams")
    await fill(page)
    return page


async def test_freighter_signs_and_the_event_arrives(payer: User, freighter: Freighter) -> None:
    page = await prepared(payer)
    tx = await signed(page, "Freighter")
    assert await dialog(page).locator(".warning").count() == 0, "only a wallet that never asks"
    kinds = [each["type"] for each in freighter.requests]
    assert kinds[:3] == ["REQUEST_CONNECTION_STATUS", "REQUEST_ACCESS", "SUBMIT_TRANSACTION"]
    assert freighter.requests[-1]["accountToSign"] == ALICE
    await dialog(page).get_by_role("link", name="See the stream").click()
    row = page.locator('.timeline .event[data-type="stream.created"] .where')
    await expect(row).to_have_attribute("title", re.compile(tx))
    assert payer.noise == []
    assert len(payer.hosts) == 1, "no other host was asked"


async def test_a_user_can_decline_and_sign_later(payer: User, freighter: Freighter) -> None:
    freighter.declines = True
    page = await prepared(payer)
    sign = dialog(page).get_by_role("button", name="Sign with Freighter")
    await sign.click()
    await expect(dialog(page).get_by_role("alert")).to_have_text("The user rejected this request.")
    freighter.declines = False
    await sign.click()
    await expect(dialog(page).get_by_role("status")).to_contain_text("Done: Created")
    submitted = [each for each in freighter.requests if each["type"] == "SUBMIT_TRANSACTION"]
    assert len({each["transactionXdr"] for each in submitted}) == 1, "the same transaction"


async def test_another_account_cannot_sign(payer: User, freighter: Freighter) -> None:
    freighter.account = "bob"
    page = await prepared(payer)
    refused = dialog(page).get_by_role("alert")
    await expect(refused).to_contain_text(f"The account of Freighter is {BOB}. Only {ALICE} can do")
    freighter.account = "alice"
    await dialog(page).get_by_role("button", name="Try again").click()
    await dialog(page).get_by_role("button", name="Sign with Freighter").wait_for()


async def test_without_a_wallet_the_page_shows_the_transaction_and_says_what_is_missing(
    payer: User,
) -> None:
    page = await prepared(payer)
    await expect(dialog(page).locator(".preview")).to_contain_text("into the contract now")
    await expect(dialog(page).get_by_role("alert")).to_contain_text("No wallet was found")
    await expect(dialog(page).get_by_role("button", name="Sign")).to_have_count(0)


@pytest.mark.parametrize("name", one_in_test(list(INJECTED)))
async def test_a_wallet_that_is_in_the_page_signs(payer: User, name: str) -> None:
    asked: list[tuple[str, str]] = []

    def sign(xdr: str, network: str, account: str) -> str:
        asked.append((network, account))
        envelope = TransactionEnvelope.from_xdr(xdr, PASSPHRASE)
        envelope.sign(accounts.keypair("alice"))
        return envelope.to_xdr()

    await payer.context.expose_function("account", lambda: ALICE)
    await payer.context.expose_function("sign", sign)
    await payer.context.add_init_script(INJECTED[name])
    page = await prepared(payer)
    await signed(page, name)
    assert asked == [(PASSPHRASE, ALICE)]


@pytest.mark.parametrize(
    "reason", one_in_test(['"declined"', 'new Error("declined")', '{ message: "declined" }'])
)
async def test_the_reason_of_a_wallet_is_shown(payer: User, reason: str) -> None:
    script = f"window.hanaWallet = {{ stellar: {{ getPublicKey() {{ throw {reason}; }} }} }};"
    await payer.context.add_init_script(script)
    page = await prepared(payer)
    await expect(dialog(page).get_by_role("alert")).to_have_text("declined")


async def test_a_user_chooses_among_wallets(payer: User, freighter: Freighter) -> None:
    await payer.context.expose_function("account", lambda: ALICE)
    await payer.context.add_init_script(INJECTED["Hana"])
    page = await prepared(payer)
    await dialog(page).get_by_role("button", name="Use Hana").click()
    await dialog(page).get_by_role("button", name="Sign with Hana").wait_for()
    kinds = {each["type"] for each in freighter.requests}
    assert kinds == {"REQUEST_CONNECTION_STATUS"}, "the other wallet was not opened"
