"""The simulated chain's XDR is real: the SDK reads it back, its hashes and footprints are right.

And the forms that the SDK does not make: metas of an older protocol, values of a newer one.
"""

from __future__ import annotations

import base64
from hashlib import sha256

import pytest
from stellar_sdk import Address, MuxedAccount, Network, TransactionBuilder, scval, xdr

from deploy.simulator.chain import accounts
from deploy.simulator.chain.operations import Proposal, read_operation
from deploy.simulator.future_protocol import CHANGES
from deploy.simulator.network import Network as Simulation
from tests.simulator.samples import NOW, QUIET, transactions


def test_xdr_reads_back_equal(lived: Simulation) -> None:
    for transaction in transactions(lived):
        meta = xdr.TransactionMeta.from_xdr(transaction.meta or "")
        assert meta.v4 is not None
        assert meta.to_xdr() == transaction.meta
        result = xdr.TransactionResult.from_xdr(transaction.result)
        assert result.to_xdr() == transaction.result
        told = [[e.to_xdr() for e in operation.events] for operation in meta.v4.operations]
        ours = [[e.xdr for e in events] for events in transaction.operations]
        assert [t for t in told if t] == [o for o in ours if o]


def test_hashes_are_those_of_the_envelopes(lived: Simulation) -> None:
    passphrase = QUIET.network_passphrase
    for transaction in transactions(lived):
        envelope = TransactionBuilder.from_xdr(transaction.signed.envelope, passphrase)
        assert envelope.hash_hex() == transaction.hash
        assert len(envelope.signatures) == 1
    other = TransactionBuilder.from_xdr(
        transaction.signed.envelope, Network.TESTNET_NETWORK_PASSPHRASE
    )
    assert other.hash_hex() != transaction.hash


def test_result_commits_to_the_events(lived: Simulation) -> None:
    checked = 0
    for transaction in transactions(lived):
        result = xdr.TransactionResult.from_xdr(transaction.result).result
        if result.inner_result_pair is not None:
            results = result.inner_result_pair.result.result.results
        else:
            results = result.results
        assert results
        assert results[0].tr
        invoked = results[0].tr.invoke_host_function_result
        meta = xdr.TransactionMeta.from_xdr(transaction.meta or "").v4
        assert meta
        if invoked is None or invoked.success is None:
            payment = {transaction.signed.native} if invoked is None else set()
            assert {event.contract_id for _, event in transaction.events()} == payment
            continue
        assert meta.soroban_meta
        assert meta.soroban_meta.return_value
        image = xdr.InvokeHostFunctionSuccessPreImage(
            meta.soroban_meta.return_value, meta.operations[0].events
        )
        assert sha256(image.to_xdr_bytes()).digest() == invoked.success.hash
        checked += 1
    assert checked > 100


def test_footprint_names_the_contract_exactly_where_it_is_touched(lived: Simulation) -> None:
    raw = Address(accounts.STREAMS).key
    for transaction in transactions(lived):
        named = raw in base64.b64decode(transaction.signed.envelope)
        emits = any(e.contract_id == accounts.STREAMS for _, e in transaction.events())
        assert named or not emits
        if not transaction.successful:
            assert not any(transaction.operations)
            assert raw in base64.b64decode(transaction.meta or "")  # among the diagnostics


def test_meta_of_older_protocols() -> None:
    network = Simulation(QUIET, NOW)
    create = read_operation({"op": "create", "amount": 10**6, "duration": 1000})
    network.submit(Proposal(operations=(create,), meta=3, fee_bump=True))
    made = network.close(NOW).transactions[0]
    meta = xdr.TransactionMeta.from_xdr(made.meta or "")
    assert meta.v3 is not None
    assert meta.v3.soroban_meta is not None
    told = [each.to_xdr() for each in meta.v3.soroban_meta.events]
    assert told == [event.xdr for _, event in made.events()]
    assert len(meta.v3.soroban_meta.diagnostic_events) == len(told)
    result = xdr.TransactionResult.from_xdr(made.result).result
    assert result.inner_result_pair is not None
    assert result.inner_result_pair.transaction_hash.hash.hex() == made.signed.inner_hash


@pytest.mark.parametrize("future", sorted(CHANGES))
def test_xdr_newer_than_the_sdk(future: str) -> None:
    muxed = MuxedAccount(accounts.address("bob"), 77).account_muxed
    create = read_operation({"op": "create", "recipient": muxed, "amount": 500, "duration": 5})
    network = Simulation(QUIET, NOW)
    network.submit(Proposal(operations=(create,)))
    network.close(NOW)
    withdraw = read_operation({"op": "withdraw", "streamId": "1"})
    network.submit(Proposal(operations=(withdraw,), future=future))
    made = network.close(NOW + 1).transactions[0]
    assert made.successful
    *_, (_, event) = made.events()
    assert event.data is None
    assert event.name == "tokens_withdrawn"
    with pytest.raises(ValueError, match=r"99|5"):
        xdr.SCVal.from_xdr(event.value)
    events = [base64.b64decode(e.xdr) for _, e in made.events()]
    assert all(raw in base64.b64decode(made.meta or "") for raw in events)
    returned = scval.to_int128(99).to_xdr_bytes()
    image = returned + len(events).to_bytes(4, "big") + b"".join(events)
    assert sha256(image).digest() in base64.b64decode(made.result)
