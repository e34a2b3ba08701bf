"""Which envelopes are submitted: one call of the watched contract, signed by its source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from stellar_sdk import (
    Account,
    Asset,
    Keypair,
    MuxedAccount,
    SorobanDataBuilder,
    TimeBounds,
    TransactionBuilder,
    TransactionEnvelope,
)
from stellar_sdk.preconditions import Preconditions

from deploy.simulator.chain import accounts
from services.api.transactions.envelopes import Terms, restoration
from tests.api.transactions.network import (
    ALICE,
    BOB,
    CREATE,
    ask,
    prepared,
    signed,
    submitted,
)
from tests.indexer.simulated import PASSPHRASE, Sim
from tests.support.web_client import StartApi, WebClient

pytestmark = pytest.mark.io

OTHER_NETWORK = "another network"
Alter = Callable[[TransactionEnvelope], str]


def signed_after(change: Callable[[TransactionEnvelope], None]) -> Alter:
    """Change an envelope, then sign it."""

    def alter(envelope: TransactionEnvelope) -> str:
        change(envelope)
        envelope.sign(ALICE)
        return envelope.to_xdr()

    return alter


def invoked(name: str, value: Any) -> Alter:
    """Another contract or function in the call."""

    def change(envelope: TransactionEnvelope) -> None:
        call = envelope.transaction.operations[0].host_function.invoke_contract  # type: ignore[attr-defined]
        if name == "contract":
            call.contract_address.contract_id.contract_id.hash = value
        else:
            call.function_name.sc_symbol = value

    return signed_after(change)


def in_transaction(name: str, value: Any) -> Alter:
    return signed_after(lambda envelope: setattr(envelope.transaction, name, value))


def two_operations(envelope: TransactionEnvelope) -> None:
    envelope.transaction.operations *= 2


def with_source(envelope: TransactionEnvelope) -> None:
    envelope.transaction.operations[0].source = MuxedAccount(BOB.public_key)


def payment(envelope: TransactionEnvelope) -> None:
    builder = TransactionBuilder(Account(ALICE.public_key, 1), PASSPHRASE)
    builder.append_payment_op(BOB.public_key, Asset.native(), "1")
    envelope.transaction.operations = builder.operations


def fee_bump(envelope: TransactionEnvelope) -> str:
    envelope.sign(ALICE)
    bump = TransactionBuilder.build_fee_bump_transaction(
        fee_source=BOB.public_key,
        base_fee=1000,
        inner_transaction_envelope=envelope,
        network_passphrase=PASSPHRASE,
    )
    bump.sign(BOB)
    return bump.to_xdr()


def for_another_network(envelope: TransactionEnvelope) -> str:
    other = TransactionEnvelope.from_xdr(envelope.to_xdr(), OTHER_NETWORK)
    other.sign(ALICE)
    return other.to_xdr()


def unsigned(envelope: TransactionEnvelope) -> str:
    return envelope.to_xdr()


def by_somebody(envelope: TransactionEnvelope) -> str:
    envelope.sign(BOB)
    return envelope.to_xdr()


def of_another_transaction(envelope: TransactionEnvelope) -> str:
    envelope.sign(ALICE)
    envelope.transaction.fee += 1
    return envelope.to_xdr()


REJECTED: dict[str, tuple[Alter, str]] = {
    "no XDR": (lambda _: "AAAA", "is not the base64 XDR of a TransactionEnvelope"),
    "no base64": (lambda _: "…", "is not the base64 XDR of a TransactionEnvelope"),
    "fee bump": (fee_bump, "is a fee bump;"),
    "another contract": (invoked("contract", bytes(32)), "calls contract CAAA"),
    "another function": (invoked("function", b"transfer_admin"), "calls transfer_admin; allowed"),
    "other arguments": (invoked("function", b"withdraw"), "must call withdraw with recipient"),
    "two operations": (signed_after(two_operations), "must have one operation, not 2"),
    "source of the operation": (signed_after(with_source), "must have an operation without"),
    "payment": (signed_after(payment), "must call a function of the stream contract"),
    "muxed source": (
        in_transaction("source", MuxedAccount(ALICE.public_key, 7)),
        "must have a source G…;",
    ),
    "no time bounds": (in_transaction("preconditions", None), "must have an upper time bound"),
    "time bound in a week": (
        in_transaction("preconditions", Preconditions(time_bounds=TimeBounds(0, 1_770_600_000))),
        "must have an upper time bound",
    ),
    "unsigned": (unsigned, "is not signed by a key of its source"),
    "signed by somebody else": (by_somebody, "is not signed by a key of its source"),
    "signed for another network": (for_another_network, "is not signed by a key of its source"),
    "signature of another one": (of_another_transaction, "is not signed by a key of its source"),
}


async def test_other_envelopes_are_not_sent(api: WebClient) -> None:
    document = await prepared(api, **CREATE)
    for name, (alter, expected) in REJECTED.items():
        envelope = TransactionEnvelope.from_xdr(document["xdr"], PASSPHRASE)
        problem = await submitted(api, alter(envelope), 422)
        assert problem["type"] == "/problems/invalid", name
        ((error),) = problem["errors"]
        assert error["pointer"] == "/xdr", name
        assert error["detail"].startswith(expected), (name, error)


async def test_a_restoration_that_was_not_prepared_here_is_not_sent(
    api: WebClient, sim: Sim
) -> None:
    document = await prepared(api, **CREATE)
    data = SorobanDataBuilder().set_resource_fee(5000).build()
    terms = Terms(
        ALICE.public_key, int(document["sequence"]), 100, sim.network.chain.latest.closed_at + 9,
        PASSPHRASE,
    )  # fmt: skip
    envelope = restoration(data, terms)
    envelope.sign(ALICE)
    problem = await submitted(api, envelope.to_xdr(), 422)
    assert problem["errors"][0]["detail"] == "restores entries, but was not prepared by this API"


async def test_a_source_that_does_not_exist(api: WebClient) -> None:
    stranger = Keypair.random()
    envelope = TransactionEnvelope.from_xdr((await prepared(api, **CREATE))["xdr"], PASSPHRASE)
    envelope.transaction.source = MuxedAccount(stranger.public_key)
    envelope.sign(stranger)
    assert (await submitted(api, envelope.to_xdr(), 422))["code"] == "AccountNotFound"


async def test_the_answer_names_the_place_of_the_transaction(api: WebClient) -> None:
    document = await prepared(api, **CREATE)
    body = {"xdr": signed(document, ALICE)}
    async with api.post("/v1/transactions/submit", json=body) as response:
        assert response.status == 202
        location = response.headers["Location"]
    assert location == f"/v1/transactions/{document['hash']}"
    async with api.get(location) as response:
        assert (await response.json())["status"] == "pending"


async def test_a_transaction_that_nobody_submitted_is_not_found(api: WebClient) -> None:
    await ask(api, f"/{'0' * 64}", 404)
    await ask(api, "/nonsense", 404)
    document = await prepared(api, **CREATE)
    await ask(api, f"/{document['hash']}", 404)


async def test_a_transaction_of_another_contract_is_not_found(api: WebClient, sim: Sim) -> None:
    await sim.ask("POST", "operations", operations=[{"op": "foreign"}])
    sim.close()
    (other,) = (each.signed.hash for each in sim.network.chain.latest.transactions)
    await ask(api, f"/{other}", 404)


async def test_without_rpc_there_are_no_transactions(start: StartApi) -> None:
    api = await start(contracts=(accounts.STREAMS,), network_passphrase=PASSPHRASE)
    problem = await ask(api, "", 404, json=CREATE)
    assert problem["detail"] == (
        "This installation prepares no transactions, because RPC_URL is not set for the API."
    )
