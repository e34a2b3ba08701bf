"""Storage changes in ledger entry changes: random ones of the SDK, and damaged ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from stellar_sdk import scval, xdr

from deploy.simulator.chain import accounts
from deploy.simulator.chain.values import sc_address
from shared.chain.xdr import XdrError
from shared.chain.xdr.entries import StorageChange, contract_data, storage_changes
from shared.chain.xdr.ledger_keys import instance_key, record_key
from shared.domain.strkeys import CONTRACT, payload_of
from tests.shared.chain.xdr.test_oracle import native, throw
from tests.support.tier import examples

OURS = payload_of(CONTRACT, accounts.STREAMS)
KINDS = xdr.LedgerEntryChangeType
seeds = st.integers(0, 2**32)


def data_entry(contract: str, key: xdr.SCVal, value: xdr.SCVal) -> xdr.LedgerEntry:
    data = xdr.ContractDataEntry(
        ext=xdr.ExtensionPoint(0),
        contract=sc_address(contract),
        key=key,
        durability=xdr.ContractDataDurability.PERSISTENT,
        val=value,
    )
    kind = xdr.LedgerEntryType.CONTRACT_DATA
    return xdr.LedgerEntry(
        xdr.Uint32(7), xdr.LedgerEntryData(kind, contract_data=data), xdr.LedgerEntryExt(0)
    )


def removal(contract: str, key: xdr.SCVal) -> xdr.LedgerKey:
    return xdr.LedgerKey(
        xdr.LedgerEntryType.CONTRACT_DATA,
        contract_data=xdr.LedgerKeyContractData(
            sc_address(contract), key, xdr.ContractDataDurability.PERSISTENT
        ),
    )


def xdr_of(changes: list[Any]) -> bytes:
    return xdr.LedgerEntryChanges(changes).to_xdr_bytes()


@settings(max_examples=examples(200), deadline=None)
@given(seeds)
def test_our_entries_are_found_among_any_others(seed: int) -> None:
    others = throw(xdr.LedgerEntryChanges, seed).ledger_entry_changes
    key, value = throw(xdr.SCVal, seed + 1), throw(xdr.SCVal, seed + 2)
    try:
        spelled = native(key), native(value)
    except ValueError:
        assume(False)
    entry, foreign = (data_entry(each, key, value) for each in (accounts.STREAMS, accounts.TOKEN))
    changes = [
        xdr.LedgerEntryChange(KINDS.LEDGER_ENTRY_CREATED, created=entry),
        xdr.LedgerEntryChange(KINDS.LEDGER_ENTRY_CREATED, created=foreign),
        *others,
        xdr.LedgerEntryChange(KINDS.LEDGER_ENTRY_STATE, state=entry),
        xdr.LedgerEntryChange(KINDS.LEDGER_ENTRY_UPDATED, updated=entry),
        xdr.LedgerEntryChange(KINDS.LEDGER_ENTRY_RESTORED, restored=entry),
        xdr.LedgerEntryChange(KINDS.LEDGER_ENTRY_REMOVED, removed=removal(accounts.STREAMS, key)),
        xdr.LedgerEntryChange(KINDS.LEDGER_ENTRY_REMOVED, removed=removal(accounts.TOKEN, key)),
    ]
    written = StorageChange(*spelled)
    expected = [written, written, written, StorageChange(spelled[0], None)]
    assert storage_changes(xdr_of(changes), OURS) == expected


def test_damaged_changes_are_an_error() -> None:
    entry = data_entry(accounts.STREAMS, scval.to_symbol("a"), scval.to_uint32(5))
    raw = xdr_of([xdr.LedgerEntryChange(KINDS.LEDGER_ENTRY_CREATED, created=entry)])
    assert storage_changes(raw, OURS) == [StorageChange("a", 5)]
    for wrong in [raw[:n] for n in range(len(raw))]:
        with pytest.raises(XdrError):
            storage_changes(wrong, OURS)
    with pytest.raises(XdrError, match="unknown type 9 of a LedgerEntryChange"):
        storage_changes(raw[:4] + b"\0\0\0\x09" + raw[8:], OURS)


@settings(max_examples=examples(100), deadline=None)
@given(st.integers(0, 2**64 - 1), st.sampled_from(["Stream", "A", "StreamCounter"]))
def test_the_key_of_a_record_is_that_of_the_sdk(number: int, name: str) -> None:
    key = scval.to_vec([scval.to_symbol(name), scval.to_uint64(number)])
    assert record_key(OURS, name, number) == removal(accounts.STREAMS, key).to_xdr_bytes()


def test_the_key_of_an_instance_is_that_of_the_sdk() -> None:
    key = xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE)
    assert instance_key(OURS) == removal(accounts.STREAMS, key).to_xdr_bytes()


@settings(max_examples=examples(100), deadline=None)
@given(seeds)
def test_an_entry_of_rpc_is_read_as_the_sdk_reads_it(seed: int) -> None:
    key, value = throw(xdr.SCVal, seed), throw(xdr.SCVal, seed + 1)
    try:
        spelled = native(key), native(value)
    except ValueError:
        assume(False)
    raw = data_entry(accounts.STREAMS, key, value).data.to_xdr_bytes()
    assert contract_data(raw) == StorageChange(*spelled)
    for wrong in (raw[:-1], raw + bytes(4), b"\0\0\0\0" + raw[4:]):
        with pytest.raises(XdrError):
            contract_data(wrong)
