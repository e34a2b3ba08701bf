"""The checks before the queue: each code of the network, and their order."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from stellar_sdk import (
    Keypair,
    MuxedAccount,
    TextMemo,
    TimeBounds,
    TransactionEnvelope,
    scval,
    xdr,
)

from deploy.simulator.chain import accounts
from deploy.simulator.chain.holdings import Holding
from deploy.simulator.network import Network
from tests.simulator.samples import NOW, rpc
from tests.simulator.submission.wallet import Wallet, code_of, data_of

pytestmark = pytest.mark.timeout(60)


def _late(envelope: TransactionEnvelope) -> None:
    envelope.transaction.preconditions.time_bounds = TimeBounds(0, NOW - 1)  # type: ignore[union-attr]


def _early(envelope: TransactionEnvelope) -> None:
    envelope.transaction.preconditions.time_bounds = TimeBounds(NOW + 1, 0)  # type: ignore[union-attr]


def _poor_in_fees(envelope: TransactionEnvelope) -> None:
    envelope.transaction.fee = data_of(envelope).resource_fee.int64 + 99


def _less_than_resources(envelope: TransactionEnvelope) -> None:
    envelope.transaction.fee = data_of(envelope).resource_fee.int64 - 1


def _cheap_resources(envelope: TransactionEnvelope) -> None:
    data_of(envelope).resource_fee = xdr.Int64(1)


def _too_many_instructions(envelope: TransactionEnvelope) -> None:
    data_of(envelope).resources.instructions = xdr.Uint32(2_000_000_000)


def _twice_in_the_footprint(envelope: TransactionEnvelope) -> None:
    footprint = data_of(envelope).resources.footprint
    footprint.read_only.append(footprint.read_write[0])
    data_of(envelope).resource_fee = xdr.Int64(envelope.transaction.fee - 100)


def _without_data(envelope: TransactionEnvelope) -> None:
    envelope.transaction.soroban_data = None


def _with_a_memo(envelope: TransactionEnvelope) -> None:
    envelope.transaction.memo = TextMemo("rent")


def _two_calls(envelope: TransactionEnvelope) -> None:
    envelope.transaction.operations *= 2


def _next_but_one(envelope: TransactionEnvelope) -> None:
    envelope.transaction.sequence += 1


def _used(envelope: TransactionEnvelope) -> None:
    envelope.transaction.sequence -= 1


Change = Callable[[TransactionEnvelope], None]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_two_calls, "txMALFORMED"),
        (_without_data, "txMALFORMED"),
        (_with_a_memo, "txSOROBAN_INVALID"),
        (_too_many_instructions, "txSOROBAN_INVALID"),
        (_less_than_resources, "txSOROBAN_INVALID"),
        (_cheap_resources, "txSOROBAN_INVALID"),
        (_twice_in_the_footprint, "txSOROBAN_INVALID"),
        (_early, "txTOO_EARLY"),
        (_late, "txTOO_LATE"),
        (_poor_in_fees, "txINSUFFICIENT_FEE"),
        (_next_but_one, "txBAD_SEQ"),
        (_used, "txBAD_SEQ"),
    ],
)
async def test_each_code(
    alice: Wallet, envelope: TransactionEnvelope, change: Change, code: str
) -> None:
    change(envelope)
    envelope.sign(alice.keys)
    answer = await alice.send(envelope)
    assert (answer["status"], code_of(answer["errorResultXdr"])) == ("ERROR", code)
    assert answer["hash"] == envelope.hash_hex()
    assert ("diagnosticEventsXdr" in answer) is (code == "txSOROBAN_INVALID")
    alice.close()
    assert (await alice.status(envelope))["status"] == "NOT_FOUND"


async def test_the_first_mistake_in_the_order_of_core_counts(
    alice: Wallet, envelope: TransactionEnvelope
) -> None:
    """An unsigned envelope gets one mistake after the other; the last one added is told."""
    steps: list[tuple[Change, str]] = [
        (lambda _: None, "txBAD_AUTH"),
        (_next_but_one, "txBAD_SEQ"),
        (_poor_in_fees, "txINSUFFICIENT_FEE"),
        (_late, "txTOO_LATE"),
        (_cheap_resources, "txSOROBAN_INVALID"),
        (_two_calls, "txMALFORMED"),
    ]
    for change, code in steps:
        change(envelope)
        assert code_of((await alice.send(envelope))["errorResultXdr"]) == code


async def test_signatures(alice: Wallet, bob: Wallet, envelope: TransactionEnvelope) -> None:
    async def code() -> str:
        return code_of((await alice.send(envelope))["errorResultXdr"])

    assert await code() == "txBAD_AUTH"
    envelope.sign(bob.keys)
    assert await code() == "txBAD_AUTH"
    envelope.sign(alice.keys)
    assert await code() == "txBAD_AUTH_EXTRA"
    other = TransactionEnvelope(envelope.transaction, "Some Other Network ; January 1970")
    other.sign(alice.keys)
    envelope.signatures = other.signatures
    assert await code() == "txBAD_AUTH"


async def test_the_source_must_exist_and_have_the_fee(
    alice: Wallet, envelope: TransactionEnvelope, network: Network
) -> None:
    lumens = Holding(accounts.LUMENS, alice.address)
    latest = network.chain.latest.sequence
    network.submissions.state.holdings.put(latest, {lumens: 20_000_000 + 50})
    envelope.sign(alice.keys)
    answer = await alice.send(envelope)
    assert code_of(answer["errorResultXdr"]) == "txINSUFFICIENT_BALANCE"
    nobody = Keypair.random()
    envelope.transaction.source = MuxedAccount.from_account(nobody.public_key)
    envelope.signatures = []
    envelope.sign(nobody)
    assert code_of((await alice.send(envelope))["errorResultXdr"]) == "txNO_ACCOUNT"


@pytest.mark.parametrize("text", ["", "nonsense", "AAAA", scval.to_uint64(5).to_xdr()])
async def test_no_envelope(alice: Wallet, text: str) -> None:
    answer = await rpc(alice.http, "sendTransaction", transaction=text)
    assert answer["error"] == {"code": -32602, "message": "invalid_xdr"}
    simulated = await rpc(alice.http, "simulateTransaction", transaction=text)
    assert simulated["result"] == {
        "error": "Could not unmarshal transaction",
        "latestLedger": 0,
    }


async def test_an_envelope_with_bytes_after_its_end(
    alice: Wallet, envelope: TransactionEnvelope
) -> None:
    longer = base64.b64encode(base64.b64decode(envelope.to_xdr()) + bytes(4)).decode()
    answer: Any = await rpc(alice.http, "sendTransaction", transaction=longer)
    assert answer["error"]["message"] == "invalid_xdr"
