"""guides/streams-on-chain.md: curl creates a stream, a page tops it up, Python cancels it."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from playwright.async_api import Page
from stellar_sdk import TransactionEnvelope

from deploy.simulator.chain import accounts
from tests.docs.blocks import ADDRESS, Shell, typed
from tests.support.fenced import ROOT, fenced
from tests.support.installation import Client, Installation
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

PAGE = "docs/guides/streams-on-chain.md"
PREPARE, SEND, RUN = fenced(PAGE, "sh")
SIGN, CHANGE = fenced(PAGE, "python")
(SCRIPT,) = fenced(PAGE, "js")
PYTHON = {".venv/bin/python": sys.executable}


async def created(shell: Shell, whole: Installation) -> dict[str, Any]:
    """The settled transaction of the commands for curl."""
    (shell.folder / "sign.py").write_text(SIGN.text)
    send = typed(SEND, {**PYTHON, "localhost:3040": f"localhost:{whole.ports.network}"})
    await shell.done(PREPARE.text)
    state: dict[str, Any] = json.loads(await shell.done(send))
    assert state["status"] == "succeeded", state
    return state


async def topped_up(page: Page, address: str, stream_id: str) -> list[str]:
    """What the script of the page prints, with a Freighter that signs for alice."""

    def sign(xdr: str, passphrase: str) -> str:
        envelope = TransactionEnvelope.from_xdr(xdr, passphrase)
        envelope.sign(accounts.keypair("alice"))
        return envelope.to_xdr()

    printed: list[str] = []
    page.on("console", lambda message: printed.append(message.text))
    page.on("pageerror", lambda error: printed.append(f"succeeded: not, but {error}"))
    await page.expose_function("signed", sign)
    yours = f"http://{address}/yours.html"
    await page.route(yours, lambda route: route.fulfill(content_type="text/html", body=""))
    await page.goto(yours)
    await page.evaluate(
        """(address) => { window.freighterApi = {
          requestAccess: async () => ({ address }),
          signTransaction: async (xdr, { networkPassphrase }) =>
            ({ signedTxXdr: await window.signed(xdr, networkPassphrase) }),
        }; }""",
        accounts.address("alice"),
    )
    words = {ADDRESS: address, 'streamId: "7"': f'streamId: "{stream_id}"'}
    await page.add_script_tag(content=typed(SCRIPT, words), type="module")
    await until(lambda: "succeeded" in " ".join(printed), seconds=60, what=lambda: str(printed))
    return printed


async def test_a_stream_is_created_topped_up_and_cancelled(
    shell: Shell, whole: Installation, page: Page, address: str
) -> None:
    listening = Client(whole, "all=true", whole.ports.gateway)
    try:
        await until(lambda: listening.began, what="a subscription")
        state = await created(shell, whole)
        stream_id = state["events"][-1]["streamId"]
        printed = await topped_up(page, address, stream_id)
        assert printed[0].startswith("the fee is at most "), printed
        (shell.folder / "change.py").write_text(
            typed(CHANGE, {ADDRESS: address, '"7"': f'"{stream_id}"'})
        )
        secret = f"export SECRET={accounts.keypair('alice').secret}\n"
        run = typed(RUN, {**PYTHON, "clients/python": str(ROOT / "clients/python")})
        lines = (await shell.done(secret + run)).splitlines()
        assert [line.split()[:2] for line in lines] == [
            [action, "succeeded"] for action in ("pause", "resume", "cancel")
        ]
        wanted = ["created", "topped_up", "paused", "resumed", "cancelled"]

        def kinds() -> list[str]:
            own = [each for each in listening.events if each["streamId"] == stream_id]
            types = [each["type"].removeprefix("stream.") for each in own]
            return [each for each in types if each in wanted]

        await until(lambda: kinds() == wanted, what=lambda: str(kinds()))
        hashes = {each["txHash"] for each in listening.events}
        assert state["hash"] in hashes, "the event has the hash of the transaction"
    finally:
        await listening.close()
