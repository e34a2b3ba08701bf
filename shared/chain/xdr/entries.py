"""Read a contract's storage: in the ledger entry changes of a meta, and in answers of RPC.

A meta contains the entries that the transaction wrote, with their values after the transaction.
They contain more of the contract's state than the events. A hash proves the events, but not these
entries.

See docs/decisions/0082-schedule-from-the-meta.md.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from shared.chain.xdr import ledger
from shared.chain.xdr.natives import ScVal
from shared.chain.xdr.reader import XdrError, finish, guarded
from shared.chain.xdr.scval import scval
from shared.chain.xdr.shapes import WORD, read_count, words_of

_CREATED, _UPDATED, _REMOVED, _STATE, _RESTORED = range(5)
_WRITTEN = (_CREATED, _UPDATED, _RESTORED)
_CONTRACT_DATA = 6
_CONTRACT = (1).to_bytes(4, "big")  # the arm of an SCAddress for contracts
_BEFORE_CONTRACT = 3
"""Words of a ledger entry before the contract: its last change, its type, an empty extension."""


class StorageChange(NamedTuple):
    """An entry that a transaction wrote or removed. `value` is None for a removed entry."""

    key: ScVal
    value: ScVal


@guarded
def storage_changes(
    changes: bytes, contract: bytes, wanted: Callable[[ScVal], bool] = lambda _key: True
) -> list[StorageChange]:
    """The changes of a contract's storage, in order. `contract`: the 32 bytes of its id.

    `changes` is the XDR of LedgerEntryChanges. Changes with other keys than the `wanted` ones are
    left out; their values are not decoded. Raises XdrError.
    """
    return list(_storage_changes(changes, _CONTRACT + contract, wanted))


def _storage_changes(
    raw: bytes, owner: bytes, wanted: Callable[[ScVal], bool]
) -> Iterator[StorageChange]:
    words = words_of(raw)
    n, at = read_count(words, 0, 1)
    for _ in range(n):
        kind = words[at]
        at += 1
        if kind > _RESTORED:
            what = f"unknown type {kind} of a LedgerEntryChange; expected 0 to {_RESTORED}"
            raise XdrError(what, (at - 1) * WORD)
        end = (ledger.KEY if kind == _REMOVED else ledger.ENTRY)(words, at)
        start = None
        if kind in _WRITTEN and words[at + 1] == _CONTRACT_DATA:
            start = (at + _BEFORE_CONTRACT) * WORD
        elif kind == _REMOVED and words[at] == _CONTRACT_DATA:
            start = (at + 1) * WORD
        if start is not None and raw.startswith(owner, start):
            key, after = scval(raw, start + len(owner), 0)
            if wanted(key):  # the durability is between key and value
                value = None if kind == _REMOVED else scval(raw, after + 4, 0)[0]
                yield StorageChange(key, value)
        at = end


@guarded
def contract_data(raw: bytes) -> StorageChange:
    """The key and the value in the XDR of a LedgerEntryData with contract data. Raises XdrError."""
    words = words_of(raw)
    if (kind := words[0]) != _CONTRACT_DATA:
        raise XdrError(f"expected contract data (type {_CONTRACT_DATA}), found type {kind}", 0)
    at = ledger.ADDRESS(words, ledger.NOTHING(words, 1)) * WORD
    key, at = scval(raw, at, 0)
    value, at = scval(raw, at + 4, 0)
    finish(raw, at)
    return StorageChange(key, value)
