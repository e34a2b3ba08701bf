"""The record of a stream in the contract's storage."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.simulator.chain import accounts
from deploy.simulator.chain.values import to_scval
from deploy.simulator.contracts.record import Record, Status
from deploy.simulator.contracts.storage import contract_instance, stream_value
from shared.chain.decode.stream_record import (
    UnreadableRecordError,
    read_record,
    stream_count,
)
from shared.chain.xdr import ContractInstance, Pairs, ScVal, decode_scval
from shared.domain.schedule import LINEAR

ALICE, BOB = (accounts.address(each) for each in ("alice", "bob"))
STREAM = Record(
    id="7", sender=ALICE, recipient=BOB, token=accounts.TOKEN, rate=5, deposited=1000,
    withdrawn=10, start=100, anchor=102,
)  # fmt: skip


def stored(record: Record) -> dict[ScVal, ScVal]:
    decoded = decode_scval(to_scval(stream_value(record)).to_xdr_bytes())
    assert isinstance(decoded, dict)
    return decoded


def test_a_record_of_the_contract_is_read() -> None:
    paused = replace(STREAM, paused=True, paused_at=110, status=Status.PAUSED)
    assert read_record(stored(paused)) == (
        ALICE, BOB, accounts.TOKEN, 5, 1000, 10, 100, 102, True, 110, "Paused", LINEAR,
    )  # fmt: skip
    assert read_record(stored(STREAM)).paused_at is None


@pytest.mark.parametrize("field", sorted(map(str, stored(STREAM))))
def test_a_wrong_field_is_named(field: str) -> None:
    if field == "paused_at":  # void, while the stream is not paused
        return
    wrong: list[ScVal] = [None, [], {}, b"x", "x"]
    for value in wrong:
        with pytest.raises(UnreadableRecordError, match=f"'{field}' is missing or not of type"):
            read_record(stored(STREAM) | {field: value})


@pytest.mark.parametrize("value", [None, [], 5, "x"])
def test_an_entry_that_is_no_map_is_unreadable(value: ScVal) -> None:
    with pytest.raises(UnreadableRecordError, match="not a map"):
        read_record(value)


def test_the_counter_is_in_the_instance() -> None:
    instance = decode_scval(contract_instance(5000, ALICE, BOB, 50).to_xdr_bytes())
    assert stream_count(instance) == 5000
    others: list[ScVal] = [None, {}, 5]
    for wrong in others:
        with pytest.raises(UnreadableRecordError, match="not a contract's instance"):
            stream_count(wrong)


def test_a_contract_without_a_counter_has_made_no_stream() -> None:
    instance = decode_scval(contract_instance(0, ALICE, BOB, 50).to_xdr_bytes())
    assert isinstance(instance, ContractInstance)
    assert stream_count(instance) == 0
    empty: list[dict[ScVal, ScVal] | Pairs | None] = [None, {}, Pairs()]
    for storage in empty:
        assert stream_count(replace(instance, storage=storage)) == 0


@pytest.mark.parametrize("value", [None, True, "5", []])
def test_a_counter_that_is_no_integer_is_an_error(value: ScVal) -> None:
    instance = decode_scval(contract_instance(1, ALICE, BOB, 50).to_xdr_bytes())
    assert isinstance(instance, ContractInstance)
    counter = Pairs([(["StreamCounter"], value)])
    with pytest.raises(UnreadableRecordError, match="'StreamCounter' is missing or not of type"):
        stream_count(replace(instance, storage=counter))
