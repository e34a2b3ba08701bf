"""The operations are the same, byte for byte, as those of stellar-sdk's own contract client."""

from __future__ import annotations

from typing import Any

import pytest
from stellar_sdk import Keypair, TransactionEnvelope, scval, xdr
from stellar_sdk.contract import AssembledTransactionAsync, ContractClientAsync

from deploy.simulator.chain import accounts
from tests.api.transactions.network import ALICE, BOB, CREATE, Journal, of_stream, prepared, settled
from tests.indexer.simulated import PASSPHRASE, Sim
from tests.simulator.sdk_client import HttpClient
from tests.support.web_client import WebClient

pytestmark = pytest.mark.io

STREAM = scval.to_uint64(1)
CREATE_ARGUMENTS = [
    scval.to_address(ALICE.public_key),
    scval.to_address(BOB.public_key),
    scval.to_address(accounts.TOKEN),
    scval.to_int128(1_000_000),
    scval.to_uint64(1000),
]
AMOUNT = scval.to_int128(5000)
CALLS: tuple[tuple[str, Keypair, dict[str, Any], str, list[xdr.SCVal]], ...] = (
    ("top_up", ALICE, {"amount": "5000"}, "top_up_stream", [STREAM, AMOUNT]),
    ("withdraw", BOB, {}, "withdraw", [STREAM]),
    ("pause", ALICE, {}, "pause_stream", [STREAM]),
    ("resume", ALICE, {}, "resume_stream", [STREAM]),
    ("cancel", ALICE, {}, "cancel_stream", [STREAM]),
)


async def by_sdk(sim: Sim, signer: Keypair, function: str, arguments: list[xdr.SCVal]) -> str:
    """The operation that stellar-sdk's client makes for a call, in XDR."""
    client = ContractClientAsync(
        accounts.STREAMS, f"{sim.url}/rpc", PASSPHRASE, HttpClient(sim.session)
    )
    call: AssembledTransactionAsync[xdr.SCVal] = await client.invoke(
        function, arguments, source=signer.public_key
    )
    assert call.built_transaction
    return operation_of(call.built_transaction)


def operation_of(envelope: TransactionEnvelope) -> str:
    return envelope.transaction.operations[0].to_xdr_object().to_xdr()


async def test_every_operation_is_that_of_the_sdk(
    api: WebClient, sim: Sim, journal: Journal
) -> None:
    ours = await prepared(api, **CREATE)
    theirs = await by_sdk(sim, ALICE, "create_stream", CREATE_ARGUMENTS)
    assert operation_of(TransactionEnvelope.from_xdr(ours["xdr"], PASSPHRASE)) == theirs
    await settled(api, sim, journal, ours, ALICE)
    sim.close()
    for action, signer, more, function, arguments in CALLS:
        ours = await prepared(api, **of_stream(action, signer), **more)
        party = scval.to_address(signer.public_key)
        theirs = await by_sdk(sim, signer, function, [party, *arguments])
        assert operation_of(TransactionEnvelope.from_xdr(ours["xdr"], PASSPHRASE)) == theirs
        if action == "pause":
            await settled(api, sim, journal, ours, signer)
