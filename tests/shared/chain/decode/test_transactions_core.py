"""Recorded transactions, also of stellar-core: positions, proofs, and one flipped byte."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from shared.chain.decode.contracts import WatchedContract, WatchedContracts
from shared.chain.decode.records import HorizonTransaction
from shared.chain.decode.transactions import DecodedEvents, UnprovedError, decode_transaction
from shared.chain.xdr import XdrError
from shared.domain.events import EventType
from shared.domain.position import parse_position
from tests.indexer.handmade import record, without
from tests.support.recordings import Recording


def read(transaction: HorizonTransaction, contract: WatchedContract) -> DecodedEvents:
    return decode_transaction(transaction, WatchedContracts.of(contract.address))


@pytest.fixture(scope="module")
def transactions(recorded: Recording) -> list[dict[str, Any]]:
    return recorded.transactions()


def record_of(
    vector: dict[str, Any], meta: bytes | None = None
) -> tuple[HorizonTransaction, WatchedContract]:
    [contract] = {each["contract"] for each in vector["events"]}
    [watched] = WatchedContracts.of(contract).all
    raw = base64.b64decode(vector["result_meta_xdr"]) if meta is None else meta
    outcome = base64.b64decode(vector["result_xdr"])
    where = {"ledger": vector["ledger"], "order": vector["tx_order"], "contract": watched}
    return record(raw, outcome, closed=vector["close_time"], **where), watched


def is_call(vector: dict[str, Any]) -> bool:
    return base64.b64decode(vector["result_xdr"]).find(b"\0\0\0\0\0\0\0\x18\0\0\0\0") > 0


def test_every_recorded_event_has_its_position_and_its_proof(
    transactions: list[dict[str, Any]],
) -> None:
    proved = 0
    for vector in transactions:
        transaction, watched = record_of(vector)
        if not is_call(vector):  # events of payments have no proof, so they are not accepted
            with pytest.raises(UnprovedError):
                read(transaction, watched)
            continue
        found = read(transaction, watched)
        expected = [
            (
                parse_position(e["id"]),
                EventType.CHAIN_UNKNOWN,
                {"topicsXdr": e["topic_xdr"], "valueXdr": e["value_xdr"]},
            )
            for e in vector["events"]
        ]
        decoded = [(e.position, e.type, without(e.facts, "name")) for e in found.events]
        assert decoded == expected
        assert all(e.provenance and e.provenance.verified for e in found.events)
        proved += len(decoded)
    assert proved >= 8


def test_a_flipped_byte_of_an_event_is_caught(transactions: list[dict[str, Any]]) -> None:
    for vector in (each for each in transactions if is_call(each)):
        true = base64.b64decode(vector["result_meta_xdr"])
        _, watched = record_of(vector)
        for at in event_bytes(vector, true):
            flipped = true[:at] + bytes([true[at] ^ 1]) + true[at + 1 :]
            forged, _ = record_of(vector, flipped)
            with pytest.raises((UnprovedError, XdrError)):
                read(forged, watched)


def event_bytes(vector: dict[str, Any], meta: bytes) -> list[int]:
    """The position of each event of the operation in the meta."""
    offsets: list[int] = []
    at = 0
    for each in vector["events"]:
        raw = base64.b64decode(each["contract_event_xdr"])
        at = meta.index(raw, at)
        step = 1 if len(raw) < 4000 else 97
        offsets += range(at, at + len(raw), step)
        at += len(raw)
    return offsets
