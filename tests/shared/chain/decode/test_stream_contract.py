"""The stream contract's events: every name, every type of field, every exception."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from deploy.simulator.chain import accounts
from shared.chain.decode.stream_contract import UnreadableEventError, read_event
from shared.chain.decode.stream_events import EVENT_RULES
from shared.chain.xdr import Address, ContractEvent, ScVal, Symbol, decode_scval
from shared.domain.events import Event, EventType, Provenance
from shared.domain.position import Position
from tests.indexer.handmade import ALICE, BOB, CAROL, NOW

SOURCE = Provenance(accounts.STREAMS, 1000, "2026-02-02T02:40:00Z", "a" * 64, True)
AT = Position(1000 << 32 | 1 << 12, 3)
A, B, C, TOKEN = (Address(each) for each in (ALICE, BOB, CAROL, accounts.TOKEN))
BIG = (1 << 127) - 1
CREATED: dict[str, ScVal] = {
    "deposited_amount": BIG,
    "rate_per_second": 11,
    "recipient": B,
    "sender": A,
    "start_time": NOW - 5,
    "stream_id": 7,
    "token_address": TOKEN,
}


def contract_event(name: ScVal, stream_id: ScVal, data: ScVal) -> ContractEvent:
    topics = tuple(each for each in (name, stream_id) if each is not None)
    xdr = tuple(str(each).encode() for each in topics)
    return ContractEvent(None, "contract", topics, data, b"", xdr, b"value")


def read(name: ScVal, data: Any, stream_id: ScVal = 7, closed: int = NOW) -> Event:
    return read_event(contract_event(name, stream_id, data), AT, SOURCE, closed)


# name, stream id, data, type, facts, timestamp (the ledger closed at NOW)
Row = tuple[str, int | None, dict[str, ScVal], str, dict[str, Any], int]
TABLE: list[Row] = [
    ("initialized", None, {"admin": A, "fee_rate_bps": 50, "treasury": C}, "contract.initialized",
     {"admin": A, "feeRateBps": 50, "treasury": C}, NOW),
    ("fee_config_updated", None, {"admin": A, "new_fee_rate_bps": 60, "new_treasury": B,
     "old_fee_rate_bps": 50, "old_treasury": C}, "contract.fee_config_updated",
     {"admin": A, "newFeeRateBps": 60, "newTreasury": B, "oldFeeRateBps": 50, "oldTreasury": C},
     NOW),
    ("admin_transferred", None, {"new_admin": B, "previous_admin": A},
     "contract.admin_transferred", {"newAdmin": B, "previousAdmin": A}, NOW),
    ("fee_collected", 7, {"fee_amount": 5000, "stream_id": 7, "token": TOKEN, "treasury": C},
     "stream.fee_collected", {"feeAmount": "5000", "token": TOKEN, "treasury": C}, NOW),
    ("stream_created", 7, CREATED, "stream.created",
     {"depositedAmount": str(BIG), "ratePerSecond": "11", "recipient": B, "sender": A,
      "startTime": NOW - 5, "tokenAddress": TOKEN}, NOW),
    ("stream_topped_up", 7, {"amount": 10, "new_deposited_amount": 30, "new_end_time": NOW + 9,
     "sender": A, "stream_id": 7}, "stream.topped_up",
     {"amount": "10", "newDepositedAmount": "30", "newEndTime": NOW + 9, "sender": A}, NOW),
    ("stream_topped_up", 7, {"amount": 10, "new_deposited_amount": 30, "sender": A,
     "stream_id": 7}, "stream.topped_up",
     {"amount": "10", "newDepositedAmount": "30", "sender": A}, NOW),
    ("tokens_withdrawn", 7, {"amount": 1100, "recipient": B, "stream_id": 7,
     "timestamp": NOW - 2}, "stream.withdrawn",
     {"amount": "1100", "recipient": B, "timestamp": NOW - 2}, NOW - 2),
    ("tokens_withdrawn", 7, {"amount": 1100}, "stream.withdrawn",
     {"amount": "1100", "timestamp": NOW}, NOW),
    ("stream_completed", 7, {"recipient": B, "stream_id": 7, "total_withdrawn": 99},
     "stream.completed", {"recipient": B, "totalWithdrawn": "99"}, NOW),
    ("stream_cancelled", 7, {"amount_withdrawn": 1, "recipient": B, "refunded_amount": 2,
     "sender": A, "stream_id": 7}, "stream.cancelled",
     {"amountWithdrawn": "1", "recipient": B, "refundedAmount": "2", "sender": A}, NOW),
    ("stream_paused", 7, {"paused_at": NOW - 1, "sender": A, "stream_id": 7}, "stream.paused",
     {"pausedAt": NOW - 1, "sender": A}, NOW),
    ("stream_paused", 7, {}, "stream.paused", {"pausedAt": NOW}, NOW),
    ("stream_resumed", 7, {"new_end_time": (1 << 64) - 1, "sender": A, "stream_id": 7},
     "stream.resumed", {"newEndTime": (1 << 64) - 1, "sender": A}, NOW),
    ("recipient_transferred", 7, {"new_recipient": C, "old_recipient": B, "settled_amount": 4,
     "stream_id": 7, "timestamp": NOW}, "stream.recipient_transferred",
     {"newRecipient": C, "oldRecipient": B, "settledAmount": "4", "timestamp": NOW}, NOW),
    ("stream_rate_modified", 7, {"new_end_time": NOW + 1, "new_rate_per_second": 3,
     "old_rate_per_second": 2, "sender": A, "stream_id": 7, "timestamp": NOW},
     "stream.rate_modified", {"newEndTime": NOW + 1, "newRatePerSecond": "3",
     "oldRatePerSecond": "2", "sender": A, "timestamp": NOW}, NOW),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=[f"{row[0]}-{len(row[2])}" for row in TABLE])
def test_every_event_is_converted(row: Row) -> None:
    name, stream_id, data, kind, facts, timestamp = row
    event = read(name, data, stream_id)
    assert event.type == kind
    assert event.stream_id == (None if stream_id is None else "7")
    assert (event.facts, event.timestamp) == (facts, timestamp)
    assert (event.position, event.provenance) == (AT, SOURCE)


def test_the_table_has_every_name_of_the_deployed_contract() -> None:
    deployed = {name: rule.type for name, rule in EVENT_RULES.items() if not rule.announced}
    assert {row[0]: row[3] for row in TABLE} == deployed


@pytest.mark.parametrize("name", ["unheard_of", "FlowFi", "FlowFi.ProtocolPaused"])
@pytest.mark.parametrize("stream_id", [7, (1 << 64) - 1, None])
def test_events_with_unknown_names_are_kept_raw_with_their_stream(
    name: str, stream_id: int | None
) -> None:
    event = read(name, {"anything": [1, {}]}, stream_id)
    assert event.type == EventType.CHAIN_UNKNOWN
    assert event.stream_id == (None if stream_id is None else str(stream_id))
    topics = [each for each in (name, stream_id) if each is not None]
    assert event.facts == {
        "name": name,
        "topicsXdr": [base64.b64encode(str(each).encode()).decode() for each in topics],
        "valueXdr": base64.b64encode(b"value").decode(),
    }


@pytest.mark.parametrize("name", [None, 5, b"raw", [Symbol("tokens_withdrawn")], True])
def test_a_nameless_event_is_unknown(name: ScVal) -> None:
    event = read_event(contract_event(name, None, {}), AT, SOURCE, NOW)
    assert (event.type, event.facts["name"]) == (EventType.CHAIN_UNKNOWN, "")


@pytest.mark.parametrize("odd", [None, 0, -7, 1 << 64, 1 << 255, True, "7", b"7", [7], {7: 7}])
def test_a_wrong_stream_id_makes_the_event_unreadable(odd: ScVal) -> None:
    with pytest.raises(
        UnreadableEventError, match="tokens_withdrawn: its second topic is not a stream id"
    ):
        read("tokens_withdrawn", {"amount": 1}, odd)
    assert read("unheard_of", {}, odd).stream_id is None
    assert read("initialized", {}, odd).stream_id is None


def test_handmade_bytes_decode_as_specified() -> None:
    value = decode_scval(base64.b64decode(
        "AAAAEQAAAAEAAAAEAAAADwAAAAZhbW91bnQAAAAAAAoAAAAAAAAAAAAAAAAAAARMAAAADwAAAAlyZWNpcGllbnQA"
        "AAAAAAASAAAAAAAAAAB9Bm882lV0j4x+Pv3W0zvE8HySEBIe22qmPSMeK7wETQAAAA8AAAAJc3RyZWFtX2lkAAAA"
        "AAAABQAAAAAAAAAHAAAADwAAAAl0aW1lc3RhbXAAAAAAAAAFAAAAAGmADuQ="
    ))  # fmt: skip
    name = decode_scval(base64.b64decode("AAAADwAAABB0b2tlbnNfd2l0aGRyYXdu"))
    stream_id = decode_scval(base64.b64decode("AAAABQAAAAAAAAAH"))
    event = read(name, value, stream_id)
    recipient = "GB6QM3Z43JKXJD4MPY7P3VWTHPCPA7ESCAJB5W3KUY6SGHRLXQCE32XD"
    assert event.type == EventType.STREAM_WITHDRAWN
    assert event.facts == {"amount": "1100", "recipient": recipient, "timestamp": 1770000100}
