"""Footprints, resources, fees, archived entries, authorization, and what a simulation shows."""

from __future__ import annotations

import base64

import pytest
from stellar_sdk import (
    SorobanDataBuilder,
    TransactionBuilder,
    TransactionEnvelope,
    scval,
    xdr,
)

from deploy.simulator.chain import accounts
from deploy.simulator.network import Network
from tests.simulator.samples import CREATE, NOW, Sim, close, rpc
from tests.simulator.submission.wallet import Wallet, call_code, code_of, data_of

pytestmark = pytest.mark.timeout(60)


async def outcome(wallet: Wallet, envelope: TransactionEnvelope) -> tuple[str, str]:
    """The status of a transaction after its ledger, and the code of its call."""
    envelope.sign(wallet.keys)
    sent = await wallet.send(envelope)
    assert sent["status"] == "PENDING", sent
    wallet.close()
    answer = await wallet.status(envelope)
    return answer["status"], call_code(answer["resultXdr"])


async def test_each_key_of_the_footprint_is_needed(
    alice: Wallet, envelope: TransactionEnvelope
) -> None:
    text = envelope.to_xdr()
    for reads, count in ((True, 2), (False, 5)):
        for n in range(count):
            one = TransactionEnvelope.from_xdr(text, alice.passphrase)
            footprint = data_of(one).resources.footprint
            keys = footprint.read_only if reads else footprint.read_write
            assert len(keys) == count
            del keys[n]
            source = await alice.server.load_account(alice.address)
            one.transaction.sequence = source.sequence + 1
            assert await outcome(alice, one) == ("FAILED", "TRAPPED")
    assert alice.network.contract.state.streams == {}


async def test_an_entry_that_is_only_read_cannot_be_written(
    alice: Wallet, envelope: TransactionEnvelope
) -> None:
    footprint = data_of(envelope).resources.footprint
    footprint.read_only.append(footprint.read_write.pop())
    assert await outcome(alice, envelope) == ("FAILED", "TRAPPED")


@pytest.mark.parametrize("field", ["instructions", "write_bytes"])
async def test_too_few_resources(alice: Wallet, bob: Wallet, field: str) -> None:
    await alice.create(bob.address)
    envelope = await alice.prepare("top_up_stream", alice.address, 1, 500)
    setattr(data_of(envelope).resources, field, xdr.Uint32(10))
    assert await outcome(alice, envelope) == ("FAILED", "RESOURCE_LIMIT_EXCEEDED")


async def test_a_client_can_ask_for_more_instructions(
    alice: Wallet, envelope: TransactionEnvelope
) -> None:
    built = TransactionEnvelope.from_xdr(envelope.to_xdr(), alice.passphrase)
    answer = await alice.simulated(built, resourceConfig={"instructionLeeway": 50_000_000})
    asked = xdr.SorobanTransactionData.from_xdr(answer["transactionData"])
    assert asked.resources.instructions.uint32 > 50_000_000
    assert int(answer["minResourceFee"]) > data_of(envelope).resource_fee.int64


async def test_an_unknown_format(alice: Wallet, envelope: TransactionEnvelope) -> None:
    """As in the real server, this error is in the result."""
    answer = await alice.simulated(envelope, xdrFormat="x")
    expected = "got 'x': expected base64, json for optional 'xdrFormat'"
    assert answer == {"error": expected, "latestLedger": 0}


async def test_what_is_not_used_of_the_fee_is_given_back(
    alice: Wallet, envelope: TransactionEnvelope, network: Network
) -> None:
    lumens = network.submissions.state.holdings.amount(accounts.LUMENS, alice.address) or 0
    assert (await outcome(alice, envelope))[0] == "SUCCESS"
    [done] = network.chain.latest.transactions
    assert network.submissions.state.holdings.amount(accounts.LUMENS, alice.address) == (
        lumens - done.fee_charged
    )
    assert 100 < done.fee_charged < envelope.transaction.fee
    answer = await rpc(alice.http, "getTransaction", hash=done.hash)
    fees = answer["result"]["events"]["transactionEventsXdr"]
    amounts = [_amount(xdr.TransactionEvent.from_xdr(each)) for each in fees]
    assert sum(amounts) == done.fee_charged
    assert amounts[0] == envelope.transaction.fee


def _amount(event: xdr.TransactionEvent) -> int:
    assert event.event.body.v0
    return scval.from_int128(event.event.body.v0.data)


async def test_the_source_must_be_the_party(alice: Wallet, bob: Wallet) -> None:
    """A simulation asks for Alice's signature of an entry; the network knows no such entries."""
    values = (alice.address, bob.address, accounts.TOKEN, 1_000_000, 100)
    built = (await bob.builder("create_stream", *values)).build()
    [result] = (await bob.simulated(built))["results"]
    entry = xdr.SorobanAuthorizationEntry.from_xdr(result["auth"][0])
    assert entry.credentials.address
    assert entry.credentials.address.signature.type is xdr.SCValType.SCV_VOID
    envelope = await bob.server.prepare_transaction(built)
    assert await outcome(bob, envelope) == ("FAILED", "TRAPPED")


async def test_the_entry_covers_the_deposit(alice: Wallet, envelope: TransactionEnvelope) -> None:
    """Who agrees to a new stream agrees to the transfer of its deposit."""
    operation = envelope.transaction.operations[0]
    [entry] = operation.auth  # type: ignore[attr-defined]
    assert entry.credentials.address is None
    [transfer] = entry.root_invocation.sub_invocations
    call = transfer.function.contract_fn
    assert call.function_name.sc_symbol == b"transfer"
    assert scval.from_int128(call.args[2]) == 1_000_000
    entry.root_invocation.sub_invocations.clear()
    assert await outcome(alice, envelope) == ("FAILED", "TRAPPED")


async def test_modes_of_authorization(alice: Wallet, envelope: TransactionEnvelope) -> None:
    built = TransactionEnvelope.from_xdr(envelope.to_xdr(), alice.passphrase)
    answer = await alice.simulated(built, authMode="record")
    assert answer["error"] == "cannot set authMode to 'record' with an auth footprint"
    assert "error" not in await alice.simulated(built, authMode="enforce")
    built.transaction.operations[0].auth = []  # type: ignore[attr-defined]
    assert "error" not in await alice.simulated(built, authMode="record")
    answer = await alice.simulated(built, authMode="enforce")
    assert answer["error"].startswith("HostError: Error(Auth, InvalidAction)")
    answer = await alice.simulated(built, authMode="x")
    assert answer["error"].startswith("optional 'authMode' must be one of enforce,record,")


async def test_the_changes_are_those_of_the_ledger(
    alice: Wallet, bob: Wallet, network: Network
) -> None:
    """The entries after a call are those that its simulation told, apart from the ledger."""
    close(network, NOW, CREATE | {"duration": 100})
    built = (await alice.builder("top_up_stream", alice.address, 1, 500)).build()
    told = (await alice.simulated(built))["stateChanges"]
    assert [each["type"] for each in told] == ["updated"] * len(told)
    envelope = await alice.server.prepare_transaction(built)
    assert (await outcome(alice, envelope))[0] == "SUCCESS"
    keys = [each["key"] for each in told]
    answer = await rpc(alice.http, "getLedgerEntries", keys=keys)
    stored = {each["key"]: each["xdr"] for each in answer["result"]["entries"]}
    assert stored == {
        each["key"]: xdr.LedgerEntry.from_xdr(each["after"]).data.to_xdr() for each in told
    }
    writes = data_of(envelope).resources.footprint.read_write
    assert sorted(keys) == sorted(each.to_xdr() for each in writes)
    shown = await alice.status(envelope)
    meta = xdr.TransactionMeta.from_xdr(shown["resultMetaXdr"]).v4
    assert meta
    changes = meta.operations[0].changes.ledger_entry_changes
    written = [each.updated.data.to_xdr() for each in changes if each.updated]
    assert sorted(written) == sorted(stored.values())


async def test_archived_entries_are_restored_by_the_call(
    alice: Wallet, network: Network, sim: Sim
) -> None:
    """Since protocol 23, the call names the archived entries that it restores."""
    close(network, NOW, CREATE | {"duration": 100})
    live = await alice.prepare("pause_stream", alice.address, 1)
    await sim("POST", "faults", kind="archived", streamId="1")
    assert await outcome(alice, live) == ("FAILED", "ENTRY_ARCHIVED")
    envelope = await alice.prepare("pause_stream", alice.address, 1)
    extension = data_of(envelope).ext.resource_ext
    assert extension
    assert len(extension.archived_soroban_entries) == 1
    assert await outcome(alice, envelope) == ("SUCCESS", "SUCCESS")


async def test_before_protocol_23_a_transaction_restores_them(
    alice: Wallet, network: Network, sim: Sim
) -> None:
    close(network, NOW, CREATE | {"duration": 100})
    await sim("POST", "versions", server="rpc", protocol=22)
    await sim("POST", "faults", kind="archived", streamId="1")
    built = (await alice.builder("pause_stream", alice.address, 1)).build()
    preamble = (await alice.simulated(built))["restorePreamble"]
    restore = await _restoring(alice, preamble["transactionData"])
    data = data_of(restore)
    assert data.resource_fee.int64 == int(preamble["minResourceFee"])
    restore.sign(alice.keys)
    assert (await alice.send(restore))["status"] == "PENDING"
    alice.close()
    answer = await alice.status(restore)
    assert (answer["status"], code_of(answer["resultXdr"])) == ("SUCCESS", "txSUCCESS")
    built = (await alice.builder("pause_stream", alice.address, 1)).build()
    assert "restorePreamble" not in await alice.simulated(built)
    assert (await alice.do("pause_stream", alice.address, 1))["status"] == "SUCCESS"


async def _restoring(wallet: Wallet, data: str) -> TransactionEnvelope:
    source = await wallet.server.load_account(wallet.address)
    builder = TransactionBuilder(source, wallet.passphrase, 100).add_time_bounds(0, 0)
    builder.append_restore_footprint_op()
    builder.set_soroban_data(SorobanDataBuilder.from_xdr(data).build())
    return await wallet.server.prepare_transaction(builder.build())


@pytest.mark.parametrize("protocol", [22, 30])
async def test_the_contract_client_of_the_sdk_restores(
    alice: Wallet, network: Network, sim: Sim, protocol: int
) -> None:
    close(network, NOW, CREATE | {"duration": 100})
    await sim("POST", "versions", server="rpc", protocol=protocol)
    await sim("POST", "faults", kind="archived")
    built = (await alice.builder("get_stream", 1)).build()
    answer = await alice.simulated(built)
    assert ("restorePreamble" in answer) is (protocol == 22)
    assert base64.b64decode(answer["results"][0]["xdr"])
