"""Several watched contracts: which contract an event is from, and which events need a proof."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import Address, StrKey, scval, xdr

from deploy.simulator.chain import accounts
from deploy.simulator.chain.operations import Operation, Proposal
from deploy.simulator.horizon import documents as horizon
from deploy.simulator.network import Network
from deploy.simulator.settings import SimulatorSettings
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.decode.records import HorizonTransaction, parse_record
from shared.chain.decode.transactions import (
    DecodedEvents,
    MetaMissingError,
    UnprovedError,
    decode_transaction,
)
from shared.domain.contracts import ContractKind
from tests.indexer.handmade import (
    ALICE,
    BOB,
    CONTRACTS,
    NOW,
    OTHER,
    TOKEN,
    WATCHED,
    array,
    created,
    event,
    fields,
    meta_v3,
    meta_v4,
    number,
    proof,
    proven,
    record,
    result,
    withdrawn,
)

STREAMS_ALONE = WatchedContracts.of(WATCHED.address)


def moved(amount: int = 5, contract: bytes = TOKEN.raw) -> bytes:
    """A transfer of the token from Alice to Bob."""
    topics = [scval.to_symbol("transfer"), scval.to_address(ALICE), scval.to_address(BOB)]
    head = number(0) + number(1) + contract + number(1) + number(0)
    spelled = [topic.to_xdr_bytes() for topic in topics]
    return head + array(spelled) + scval.to_int128(amount).to_xdr_bytes()


def read(*records: HorizonTransaction, contracts: WatchedContracts = CONTRACTS) -> DecodedEvents:
    decoded = DecodedEvents()
    for each in records:
        decoded.extend(decode_transaction(each, contracts))
    return decoded


def type_and_contract(decoded: DecodedEvents) -> list[tuple[str, str]]:
    return [(each.type, str(each.position)) for each in decoded.events]


def test_contracts_are_found_by_raw_id_and_by_address() -> None:
    assert CONTRACTS.addresses == (accounts.STREAMS, accounts.TOKEN)
    assert CONTRACTS.raws == tuple(map(StrKey.decode_contract, CONTRACTS.addresses))
    assert CONTRACTS.by_raw(TOKEN.raw) is CONTRACTS.by_address(accounts.TOKEN) is TOKEN
    assert (WATCHED.kind, TOKEN.kind) == (ContractKind.STREAM, ContractKind.TOKEN)
    assert CONTRACTS.by_raw(OTHER.raw) is CONTRACTS.by_raw(None) is None
    assert CONTRACTS.by_address(OTHER.address) is None


def test_a_call_may_emit_if_its_envelope_names_the_contract() -> None:
    key = xdr.LedgerKey(
        xdr.LedgerEntryType.CONTRACT_DATA,
        contract_data=xdr.LedgerKeyContractData(
            Address(accounts.TOKEN).to_xdr_sc_address(),
            xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE),
            xdr.ContractDataDurability.PERSISTENT,
        ),
    )
    footprint = xdr.LedgerFootprint([key], []).to_xdr_bytes()
    assert CONTRACTS.may_emit(footprint, b"")
    assert not STREAMS_ALONE.may_emit(footprint, None)


@given(st.binary(max_size=80), st.binary(max_size=80), st.binary(max_size=80))
def test_a_classic_operation_may_emit_if_its_meta_names_the_contract(
    a: bytes, b: bytes, envelope: bytes
) -> None:
    assert CONTRACTS.may_emit(envelope, a + TOKEN.raw + b)
    assert CONTRACTS.may_emit(envelope, None), "nothing can be ruled out"
    assert not CONTRACTS.may_emit(envelope, a + WATCHED.raw + b), "a stream needs a call"
    assert not CONTRACTS.may_emit(envelope, a + b)
    assert not STREAMS_ALONE.may_emit(envelope, a + TOKEN.raw + b)


@pytest.mark.parametrize("meta", [meta_v3, lambda *events: meta_v4(events)], ids=["V3", "V4"])
def test_events_of_two_contracts_keep_the_order_of_the_chain(meta: object) -> None:
    events = [moved(), created(), event("x", None, fields(), OTHER), withdrawn(), moved(7)]
    assert callable(meta)
    transaction = record(meta(*events), result(proof(events)))
    decoded = read(transaction)
    assert type_and_contract(decoded) == [
        ("token.transfer", f"{transaction.toid}-0"),
        ("stream.created", f"{transaction.toid}-1"),
        ("stream.withdrawn", f"{transaction.toid}-3"),
        ("token.transfer", f"{transaction.toid}-4"),
    ]
    whose = [each.provenance.contract_id for each in decoded.events if each.provenance]
    assert whose == [TOKEN.address, WATCHED.address, WATCHED.address, TOKEN.address]
    assert all(each.provenance and each.provenance.verified for each in decoded.events)
    assert [e.type for e in read(transaction, contracts=STREAMS_ALONE).events] == [
        "stream.created",
        "stream.withdrawn",
    ]


def test_events_of_payments_have_no_proof_and_the_index_of_their_operation() -> None:
    payments = meta_v4([moved(1), moved(2, OTHER.raw)], [], [moved(3)], returned=None)
    transaction = record(payments, result(None), contract=OTHER)  # no footprint names the token
    decoded = read(transaction)
    assert type_and_contract(decoded) == [
        ("token.transfer", f"{transaction.toid}-0"),
        ("token.transfer", f"{transaction.toid + 2}-0"),
    ]
    assert [e.facts["amount"] for e in decoded.events] == ["1", "3"]
    assert [e.provenance and e.provenance.verified for e in decoded.events] == [None, None]
    assert read(transaction, contracts=STREAMS_ALONE) == DecodedEvents()


def test_a_failed_payment_or_one_of_another_asset_has_no_events() -> None:
    rubbish = b"neither meta nor result"
    assert read(record(rubbish, rubbish, contract=OTHER)) == DecodedEvents()
    failed = record(rubbish + TOKEN.raw, rubbish, contract=OTHER, successful=False)
    assert read(failed) == DecodedEvents()


def test_the_fee_event_belongs_to_no_operation() -> None:
    """It belongs to the transaction (CAP-67), which has no index in a canonical id."""
    fees = number(1) + number(0) + moved(100)
    classic = meta_v4([moved(1)], returned=None)
    with_fee = classic[:-8] + fees + classic[-4:]
    [only] = read(record(with_fee, result(None), contract=OTHER)).events
    assert only.facts["amount"] == "1"


def test_a_left_out_meta_is_requested_whatever_the_envelope_says() -> None:
    missing = record(None, result(None), contract=OTHER)
    with pytest.raises(MetaMissingError):
        read(missing)
    assert read(missing, contracts=STREAMS_ALONE) == DecodedEvents()


BOTH = [created(), moved()]
FORGED = {
    "a stream's event under a payment": record(
        meta_v4(BOTH, returned=None), result(None), contract=OTHER
    ),
    "a token's event altered in a call": record(meta_v4([moved(6)]), result(proof([moved(5)]))),
    "a token's event added to a call": record(meta_v4(BOTH), result(proof(BOTH[:1]))),
    "a token's event left out of a call": record(meta_v4(BOTH[:1]), result(proof(BOTH))),
    "a token's event under a failure": record(meta_v4([moved()]), result(None, code=-1)),
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_an_invocation_needs_its_proof_beside_a_token_too(forged: HorizonTransaction) -> None:
    with pytest.raises(UnprovedError):
        read(forged)


def test_an_unreadable_event_of_a_token_is_a_dead_letter() -> None:
    odd = event("transfer", 7, fields(amount=scval.to_int128(1)), TOKEN)
    transaction = proven(moved(), odd, created())
    decoded = read(transaction)
    assert [each.type for each in decoded.events] == ["token.transfer", "stream.created"]
    [letter] = decoded.dead
    assert letter["why"] == "transfer: its topics name 0 addresses, not from, to"
    assert letter["xdr"] == base64.b64encode(odd).decode()


def test_events_of_simulated_tokens_have_their_canonical_ids() -> None:
    network = Network(SimulatorSettings(close_seconds=0), NOW)
    forms = [
        Operation(op="token", name=name, form=form, amount=5, muxed=muxed)
        for name in ("transfer", "mint", "burn", "clawback", "approve")
        for form in ("asset", "old", "plain")
        for muxed in ("", "77", "0xabcd", "rent")
    ]
    for n, each in enumerate(forms):
        network.submit(Proposal(operations=(each,), meta=3 if each.form == "old" else 4))
        network.close(NOW + 7 * n)
    lumens = network.chain.latest.transactions[0].signed.native
    watched = WatchedContracts.of(accounts.STREAMS, f"{accounts.TOKEN}:token", f"{lumens}:token")
    records = (horizon.record(each, "") for each in network.chain.after(0))
    decoded = read(*map(parse_record, records), contracts=watched)
    ours = [e for e in network.events if e.event.contract_id in watched.addresses]
    assert [(e.position, e.provenance and e.provenance.contract_id) for e in decoded.events] == [
        (e.position, e.event.contract_id) for e in ours
    ]
    assert not decoded.dead
    proofs = {c: set[object]() for c in watched.addresses}
    for decoded_event in decoded.events:
        provenance = decoded_event.provenance
        assert provenance
        proofs[provenance.contract_id].add(provenance.verified)
    assert proofs == {accounts.STREAMS: {True}, accounts.TOKEN: {True}, lumens: {None}}
    types = {each.type for each in decoded.events}
    assert {"token.transfer", "token.mint", "token.burn", "token.clawback"} <= types
