"""Horizon's records become events or dead letters, or fail their proof."""

from __future__ import annotations

import base64
import json

import pytest
from stellar_sdk import scval

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
from shared.chain.xdr import XdrError
from shared.domain.position import toid
from tests.indexer.handmade import (
    BOB,
    DEEP,
    NOW,
    OTHER,
    UNKNOWN,
    WATCHED,
    created,
    document,
    event,
    fee_bump,
    fields,
    meta_v3,
    meta_v4,
    proof,
    proven,
    record,
    result,
    withdrawn,
)

STREAMS_ALONE = WatchedContracts.of(WATCHED.address)


def read(
    *records: HorizonTransaction, contracts: WatchedContracts = STREAMS_ALONE
) -> DecodedEvents:
    decoded = DecodedEvents()
    for each in records:
        decoded.extend(decode_transaction(each, contracts))
    return decoded


def positions_of(decoded: DecodedEvents) -> list[str]:
    return [str(each.position) for each in decoded.events]


def test_both_versions_of_meta_and_fee_bumps_are_decoded() -> None:
    events = [event("x", None, fields(), OTHER), created(), withdrawn()]
    v4 = record(meta_v4(events), result(proof(events)), order=1)
    v3 = record(meta_v3(*events), result(proof(events)), order=2)
    bumped = record(meta_v4(events), fee_bump(result(proof(events))), order=3)
    decoded = read(v4, v3, bumped)
    assert positions_of(decoded) == [f"{toid(1000, n)}-{i}" for n in (1, 2, 3) for i in (1, 2)]
    assert [e.type for e in decoded.events[:2]] == ["stream.created", "stream.withdrawn"]
    source = decoded.events[2].provenance
    assert source
    assert (source.ledger, source.tx_hash, source.verified) == (1000, v3.hash, True)
    assert (source.contract_id, source.closed_at) == (WATCHED.address, "2026-02-02T02:40:00Z")
    assert not decoded.dead


def test_events_of_the_simulated_network_have_their_canonical_ids() -> None:
    network = Network(SimulatorSettings(close_seconds=0), NOW)
    for n, version in enumerate((3, 4) * 40):
        network.submit(Proposal(operations=(Operation(op="foreign"),), meta=version))
        network.submit(Proposal(operations=(Operation(op="emit"),), meta=version, fee_bump=True))
        network.submit(Proposal(operations=(Operation(op="fail"),), meta=version))
        network.close(NOW + 7 * n)
    records = (horizon.record(each, "") for each in network.chain.after(0))
    decoded = read(*map(parse_record, records), contracts=STREAMS_ALONE)
    ours = [e for e in network.events if e.event.contract_id == WATCHED.address]
    assert len(ours) > 150
    assert [(e.position, e.stream_id) for e in decoded.events] == [
        (e.position, e.event.stream_id) for e in ours
    ]
    assert all(e.provenance and e.provenance.verified for e in decoded.events)
    assert not decoded.dead


def test_failed_and_foreign_transactions_are_not_decoded() -> None:
    rubbish = b"neither meta nor result"
    assert read(record(rubbish, rubbish, successful=False)) == DecodedEvents()
    assert read(record(rubbish, rubbish, contract=OTHER)) == DecodedEvents()
    assert read(record(None, rubbish, contract=OTHER)) == DecodedEvents()
    foreign = [event("tokens_withdrawn", 7, fields(amount=scval.to_int128(1)), OTHER)]
    assert read(record(meta_v4(foreign), result(proof(foreign)))) == DecodedEvents()


def test_system_and_diagnostic_events_are_skipped() -> None:
    for kind in (0, 2):
        raw = bytearray(withdrawn())
        raw[4 + 4 + 32 + 3] = kind
        assert read(proven(bytes(raw))) == DecodedEvents()


def test_a_left_out_meta_raises_meta_missing() -> None:
    with pytest.raises(MetaMissingError):
        read(record(None, result(proof([]))))
    empty = document(None, result(proof([]))) | {"result_meta_xdr": ""}
    assert parse_record(empty).meta is None


BAD = {
    "too deep": event("stream_paused", 7, DEEP),
    "a field missing": event("tokens_withdrawn", 7, fields()),
    "a field of another type": event("tokens_withdrawn", 7, fields(amount=scval.to_address(BOB))),
    "no stream id": event("tokens_withdrawn", None, fields(amount=scval.to_int128(5))),
    "a time that is text": event(
        "tokens_withdrawn", 7, fields(amount=scval.to_int128(5), timestamp=scval.to_string("now"))
    ),
    "a time beyond 64 bit": event(
        "stream_created",
        7,
        fields(
            start_time=scval.to_int128(1 << 70),
            **{n: scval.to_int128(1) for n in ("deposited_amount", "rate_per_second")},
            **{n: scval.to_address(BOB) for n in ("sender", "recipient", "token_address")},
        ),
    ),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_an_unreadable_event_is_a_dead_letter_and_the_others_are_converted(bad: bytes) -> None:
    transaction = proven(created(), bad, withdrawn())
    decoded = read(transaction)
    assert positions_of(decoded) == [f"{transaction.toid}-0", f"{transaction.toid}-2"]
    [letter] = decoded.dead
    assert json.loads(json.dumps(letter)) == {
        "kind": "event",
        "position": f"{transaction.toid}-1",
        "ledger": 1000,
        "closedAt": "2026-02-02T02:40:00Z",
        "txHash": transaction.hash,
        "why": letter["why"],
        "xdr": base64.b64encode(bad).decode(),
        "contractId": WATCHED.address,
        "verified": True,
    }


def test_an_event_without_a_known_end_is_an_error() -> None:
    events = [created(), event("stream_paused", 7, UNKNOWN), withdrawn()]
    with pytest.raises(XdrError, match="unknown type 99"):
        decode_transaction(record(meta_v4(events), result(proof(events))), STREAMS_ALONE)


BOTH = [created(), withdrawn()]
FORGED = {
    "an event altered": record(meta_v4([withdrawn(1101)]), result(proof([withdrawn(1100)]))),
    "an event added": record(meta_v4([created(), withdrawn()]), result(proof([created()]))),
    "an event left out": record(meta_v4([created()]), result(proof([created(), withdrawn()]))),
    "all left out": record(meta_v4([]), result(proof([created()]))),
    "the order turned": record(meta_v4(BOTH[::-1]), result(proof(BOTH))),
    "another return value": record(
        meta_v4([created()], returned=bytes(8)), result(proof([created()]))
    ),
    "no return value": record(meta_v4([created()], returned=None), result(proof([created()]))),
    "the hash altered": record(meta_v4([created()]), result(bytes(32))),
    "a second operation": record(meta_v4([created()], [withdrawn()]), result(proof([created()]))),
    "under a payment's result": record(meta_v4([created()]), result(None)),
    "under a failure": record(meta_v4([created()]), result(None, code=-1)),
}  # fmt: skip


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_events_that_do_not_match_the_result_are_unproved(forged: HorizonTransaction) -> None:
    with pytest.raises(UnprovedError, match=f"transaction {forged.hash} of ledger 1000"):
        decode_transaction(forged, STREAMS_ALONE)
