"""Metas and their events: random ones of the SDK, damaged ones, and handmade ones."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stellar_sdk import StrKey, xdr

from shared.chain.xdr import (
    ContractEvent,
    TransactionMeta,
    XdrError,
    decode_contract_event,
    decode_meta,
)
from tests.shared.chain.xdr.test_oracle import failure, native, throw
from tests.support.tier import examples

KINDS = ("system", "contract", "diagnostic")
seeds = st.integers(0, 2**32)


def event_of(value: xdr.ContractEvent) -> ContractEvent:
    contract, body = value.contract_id, value.body.v0
    assert body is not None
    return ContractEvent(
        contract_id=contract and StrKey.encode_contract(contract.contract_id.hash),  # type: ignore[arg-type]
        kind=KINDS[value.type],  # type: ignore[arg-type]
        topics=tuple(native(topic) for topic in body.topics),
        data=native(body.data),
        raw=value.to_xdr_bytes(),
        topic_xdr=tuple(topic.to_xdr_bytes() for topic in body.topics),
        value_xdr=body.data.to_xdr_bytes(),
    )


def meta_of(version: int, value: Any) -> TransactionMeta:
    """The expected meta for one of the SDK."""
    soroban = value.soroban_meta
    operations = [operation.events for operation in value.operations] if version == 4 else []
    if version == 3 and soroban:
        operations = [soroban.events]
    changes = (operation.changes.to_xdr_bytes() for operation in value.operations)
    returned = soroban and soroban.return_value
    return TransactionMeta(
        version=version,
        return_value=returned and returned.to_xdr_bytes(),
        event_xdr=tuple(tuple(event.to_xdr_bytes() for event in each) for each in operations),
        change_xdr=tuple(changes),
    )


@settings(max_examples=examples(300), deadline=None)
@given(seeds)
def test_any_event_decodes_as_the_sdk_says(seed: int) -> None:
    event = throw(xdr.ContractEvent, seed)
    assert decode_contract_event(event.to_xdr_bytes()) == event_of(event)


@settings(max_examples=examples(300), deadline=None)
@given(seeds, st.sampled_from([3, 4]))
def test_any_meta_is_skipped_to_its_events_and_its_end(seed: int, version: int) -> None:
    body = throw(xdr.TransactionMetaV3 if version == 3 else xdr.TransactionMetaV4, seed)
    raw = version.to_bytes(4, "big") + body.to_xdr_bytes()
    assert decode_meta(raw) == meta_of(version, body)


@settings(max_examples=examples(200), deadline=None)
@given(seeds, st.data())
def test_a_damaged_meta_raises_nothing_but_xdr_error(seed: int, data: st.DataObject) -> None:
    raw = bytearray(b"\0\0\0\4" + throw(xdr.TransactionMetaV4, seed).to_xdr_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    error = failure(decode_meta, bytes(raw))
    assert error is None or 0 <= error.offset <= len(raw)


def test_every_kind_of_ledger_entry_and_key_is_skipped() -> None:
    for seed in range(1500):
        change = throw(xdr.LedgerEntryChange, seed)
        assert decode_meta(meta_with(changes=[change])).event_xdr == ((),)


def meta_with(*events: bytes, changes: list[xdr.LedgerEntryChange] | None = None) -> bytes:
    """The bytes of a V4 meta of one operation with these events."""
    before = xdr.LedgerEntryChanges(changes or []).to_xdr_bytes()
    operation = bytes(8) + len(events).to_bytes(4, "big") + b"".join(events)
    return b"\0\0\0\4" + bytes(4) + before + b"\0\0\0\1" + operation + bytes(16)


def event_with(contract: bytes, value: bytes) -> bytes:
    head = b"\0\0\0\0\0\0\0\1" + contract + b"\0\0\0\1" + b"\0\0\0\0"
    return head + b"\0\0\0\0" + value


OURS, OTHER = b"\1" * 32, b"\2" * 32
VOID = b"\0\0\0\1"
DEEP = b"\0\0\0\x10\0\0\0\1\0\0\0\1" * 300 + VOID  # 300 nested vecs; the limit is 200
UNKNOWN = b"\0\0\0\x63"


def test_a_muxed_contract_that_the_sdk_does_not_know_ends_where_it_should() -> None:
    muxed = b"\0\0\0\x12\0\0\0\5" + (7).to_bytes(8, "big") + OTHER
    events = (event_with(OURS, muxed), event_with(OURS, VOID))
    meta = decode_meta(meta_with(*events))
    assert meta.event_xdr == (events,)
    assert str(decode_contract_event(events[0]).data).startswith("W")


def test_an_event_that_is_nested_too_deep_is_cut_out_but_not_decoded() -> None:
    deep = event_with(OURS, DEEP)
    meta = decode_meta(meta_with(event_with(OTHER, VOID), deep))
    assert meta.event_xdr[0][1] == deep
    with pytest.raises(XdrError, match="nested"):
        decode_contract_event(deep)


@pytest.mark.parametrize("contract", [OURS, OTHER])
def test_an_event_of_an_unknown_type_is_an_error_that_names_the_event(contract: bytes) -> None:
    raw = meta_with(event_with(OTHER, VOID), event_with(contract, UNKNOWN))
    with pytest.raises(XdrError, match=r"operation 0, event 1: .*unknown type 99"):
        decode_meta(raw)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_a_meta_from_before_soroban_has_no_events(version: int) -> None:
    body = throw(getattr(xdr, f"TransactionMetaV{version}"), 1).to_xdr_bytes() if version else VOID
    assert decode_meta(version.to_bytes(4, "big") + body) == TransactionMeta(version, None)


def test_a_meta_of_a_later_version_is_an_error() -> None:
    with pytest.raises(XdrError, match="unknown version 5"):
        decode_meta(b"\0\0\0\5" + bytes(100))
