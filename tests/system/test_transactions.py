"""All six actions by plain HTTP, with a key signed by stellar-sdk, in a whole installation.

It also runs the example of docs/transactions.md.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stellar_sdk import Keypair, TransactionEnvelope

from deploy.simulator.chain import accounts
from tests.docs.blocks import typed
from tests.support.fenced import fenced
from tests.support.installation import Client, Installation, installation
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.timeout(240)]

SENDER, RECIPIENT = accounts.keypair("erin"), accounts.keypair("frank")


async def post(whole: Installation, path: str, **body: Any) -> tuple[int, Any]:
    url = whole.url(whole.ports.gateway) + path
    async with whole.session.post(url, json=body) as response:
        return response.status, await response.json()


async def settle(
    whole: Installation,
    signer: Keypair,
    ready: Callable[[Any], bool] = lambda _: True,
    **body: Any,
) -> dict[str, Any]:
    """Prepare, sign and submit a transaction, and follow it to its ledger.

    It is prepared again until it is `ready`.
    """

    async def possible() -> Any:  # the indexer may not have read the stream's last change yet
        status, answer = await post(whole, "/v1/transactions", source=signer.public_key, **body)
        assert status in (200, 404, 422), answer
        return answer if status == 200 and ready(answer) else None

    prepared = await until(possible, what=f"{body['action']} is possible")
    envelope = TransactionEnvelope.from_xdr(prepared["xdr"], prepared["networkPassphrase"])
    envelope.sign(signer)
    status, answer = await post(whole, "/v1/transactions/submit", xdr=envelope.to_xdr())
    assert (status, answer["hash"]) == (202, prepared["hash"])

    async def done() -> Any:
        _, found = await whole.get(whole.ports.gateway, f"/v1/transactions/{prepared['hash']}")
        return found if found["status"] != "pending" else None

    found: dict[str, Any] = await until(done, what=f"{body['action']} is in a ledger")
    assert (found["status"], found["error"]) == ("succeeded", None)
    return found


def pays_more_than(amount: str) -> Callable[[Any], bool]:
    """True for a cancellation that pays the recipient more than this amount of the withdrawal.

    Else the transaction does not declare the recipient's balance, and fails in a later ledger.
    """
    return lambda document: int(document["events"][0]["amountWithdrawn"]) > int(amount)


async def run_the_example(whole: Installation) -> None:
    """Run the program of docs/transactions.md."""
    (program,) = fenced("docs/transactions.md", "python")
    text = typed(program, {"http://localhost:3001": whole.url(whole.ports.gateway)})
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", text, stdout=pipe, stderr=pipe
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    assert "['stream.fee_collected', 'stream.created']" in output.decode()


async def test_each_action_reaches_an_event_source(tmp_path: Path) -> None:
    async with installation(
        tmp_path, CLOSE_SECONDS="1", SUBMIT_CLOSE_SECONDS="0.1", STREAMS="0"
    ) as whole:
        listener = Client(whole, f"users={SENDER.public_key}", whole.ports.gateway)
        await until(lambda: listener.began, what="the subscription")
        create: dict[str, Any] = {
            "recipient": RECIPIENT.public_key,
            "token": accounts.TOKEN,
            "amount": "1000000",
            "duration": 1000,
        }
        created = await settle(whole, SENDER, action="create", **create)
        stream = {"streamId": created["events"][-1]["streamId"]}
        followed = [
            created,
            await settle(whole, SENDER, action="top_up", amount="5000", **stream),
            withdrawn := await settle(whole, RECIPIENT, action="withdraw", **stream),
            await settle(whole, SENDER, action="pause", **stream),
            await settle(whole, SENDER, action="resume", **stream),
            await settle(
                whole,
                SENDER,
                pays_more_than(withdrawn["events"][0]["amount"]),
                action="cancel",
                **stream,
            ),
        ]
        wanted = [
            (each["hash"], each["ledger"], event["id"], event["type"])
            for each in followed
            for event in each["events"]
        ]
        await until(lambda: len(listener.events) >= len(wanted), what="the events")
        seen = [(e["txHash"], e["ledger"], e["id"], e["type"]) for e in listener.events]
        assert seen == wanted
        await run_the_example(whole)
        assert {kind for *_, kind in wanted} == {
            f"stream.{kind}"
            for kind in ("fee_collected", "created", "topped_up", "withdrawn", "paused", "resumed",
                         "cancelled")
        }  # fmt: skip
        await listener.close()
