"""Read a contract's storage: in the ledger entry changes of a meta, and in answers of RPC.

A meta contains the entries that the transaction wrote, with their values after the transaction.
They contain more of the contract's state than the events. A hash proves the events, but not these
entries.

See docs/decisions/0082-schedule-from-the-meta.md.
"""

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from services.indexer.xdr import ledger
from services.indexer.xdr.natives import ScVal
from services.indexer.xdr.reader import U32, XdrError, count, finish, guarded
from services.indexer.xdr.scval import scval

_CREATED, _UPDATED, _REMOVED, _STATE, _RESTORED = range(5)
_WRITTEN = (_CREATED, _UPDATED, _RESTORED)
_CONTRACT_DATA = 6
_MODIFIED_AND_TYPE = Struct(">II").unpack_from  # lastModifiedLedgerSeq, LedgerEntryType
_CONTRACT = (1).to_bytes(4, "big")  # the arm of an SCAddress for contracts


class StorageChange(NamedTuple):
    """An entry that a transaction wrote or removed. `value` is None for a removed entry."""

    key: ScVal
    value: ScVal


@guarded
def storage_changes(changes: bytes, contract: bytes) -> list[StorageChange]:
    """The changes of a contract's storage, in order. `contract`: the 32 bytes of its id.

    `changes` is the XDR of LedgerEntryChanges. Raises XdrError.
    """
    return list(_storage_changes(changes, _CONTRACT + contract))


def _storage_changes(buf: bytes, owner: bytes) -> Iterator[StorageChange]:
    n, at = count(buf, 0, 4)
    for _ in range(n):
        (kind,) = U32(buf, at)
        at += 4
        if kind in _WRITTEN:
            yield from _written(buf, at, owner)
        elif kind == _REMOVED:
            yield from _removed(buf, at, owner)
        elif kind != _STATE:
            raise XdrError(f"unknown type {kind} of a LedgerEntryChange; expected 0 to 4", at - 4)
        at = (ledger.KEY if kind == _REMOVED else ledger.ENTRY)(buf, at)


def _written(buf: bytes, at: int, owner: bytes) -> Iterator[StorageChange]:
    _, kind = _MODIFIED_AND_TYPE(buf, at)
    if kind != _CONTRACT_DATA:
        return
    at = ledger.NOTHING(buf, at + 8)
    if buf[at : at + len(owner)] == owner:
        key, at = scval(buf, at + len(owner), 0)
        value, at = scval(buf, at + 4, 0)  # the durability is in between
        yield StorageChange(key, value)


def _removed(buf: bytes, at: int, owner: bytes) -> Iterator[StorageChange]:
    (kind,) = U32(buf, at)
    if kind == _CONTRACT_DATA and buf[at + 4 : at + 4 + len(owner)] == owner:
        key, _ = scval(buf, at + 4 + len(owner), 0)
        yield StorageChange(key, None)


@guarded
def contract_data(raw: bytes) -> StorageChange:
    """The key and the value in the XDR of a LedgerEntryData with contract data. Raises XdrError."""
    (kind,) = U32(raw, 0)
    if kind != _CONTRACT_DATA:
        raise XdrError(f"expected contract data (type {_CONTRACT_DATA}), found type {kind}", 0)
    at = ledger.ADDRESS(raw, ledger.NOTHING(raw, 4))
    key, at = scval(raw, at, 0)
    value, at = scval(raw, at + 4, 0)
    finish(raw, at)
    return StorageChange(key, value)
