"""Decode a TransactionMeta: the events of each operation, and the return value for the proof.

Everything else is skipped with the shapes in shared.chain.xdr.ledger. The events and the ledger
entry changes are cut out as bytes; shared.chain.xdr.event and .entries decode only those of
watched contracts.
"""

from dataclasses import dataclass
from typing import TypeAlias

from shared.chain.xdr import ledger
from shared.chain.xdr.reader import U32, XdrError, ended_early, finish, guarded
from shared.chain.xdr.shapes import (
    WORD,
    Words,
    array_of,
    cut,
    read_count,
    read_flag,
    struct,
    union,
    words_of,
)

_BEFORE = struct(ledger.NOTHING, ledger.CHANGES)
_FEES = struct(ledger.NOTHING, 3 * 8)
_SOROBAN_EXT = union("SorobanTransactionMeta.ext", {0: 0, 1: _FEES})
_DIAGNOSTICS = array_of(ledger.DIAGNOSTIC_EVENT)
_AFTER_V4 = struct(array_of(ledger.TRANSACTION_EVENT), _DIAGNOSTICS)


@dataclass(frozen=True, slots=True)
class TransactionMeta:
    """The parts of a TransactionMeta that concern events.

    `event_xdr[op][index]` is the XDR of a ContractEvent: `op` is the index of the operation in the
    transaction, `index` is the index of the event in the operation. The event's id contains both
    indexes. `change_xdr[op]` is the XDR of the LedgerEntryChanges of an operation. `return_value`
    is the XDR of the ScVal that the contract call returned; None if there was no call.

    Versions 0 to 2 are older than Soroban and have no events. Version 3 has the events of the only
    operation. Version 4 (protocol 23, CAP-67) has the events of every operation.
    """

    version: int
    return_value: bytes | None
    event_xdr: tuple[tuple[bytes, ...], ...] = ()
    change_xdr: tuple[bytes, ...] = ()


@guarded
def decode_meta(raw: bytes) -> TransactionMeta:
    """Decode a TransactionMeta. Raises XdrError, which names the event if an event is damaged."""
    (version,) = U32(raw, 0)
    if version <= 2:
        return TransactionMeta(version, None)
    if version > 4:
        raise XdrError(
            f"unknown version {version} of a TransactionMeta; expected 0 to 4: upgrade Headrace", 0
        )
    words = words_of(raw)
    read = _version_3 if version == 3 else _version_4
    event_xdr, change_xdr, return_value, at = read(raw, words, _BEFORE(words, 1))
    finish(raw, at * WORD)
    return TransactionMeta(version, return_value, event_xdr, change_xdr)


_Parts: TypeAlias = tuple[tuple[tuple[bytes, ...], ...], tuple[bytes, ...], bytes | None, int]
"""Events and entry changes by operation, the return value, and the index after the last part."""


def _version_3(raw: bytes, words: Words, at: int) -> _Parts:
    n, at = read_count(words, at, 1)
    changes = []
    for _ in range(n):
        change, at = cut(ledger.CHANGES, raw, words, at)
        changes.append(change)
    at = ledger.CHANGES(words, at)
    there, at = read_flag(words, at)
    if not there:
        return (), tuple(changes), None, at
    at = _SOROBAN_EXT(words, at)
    events, at = _events(raw, words, at, 0)
    return_value, at = cut(ledger.VALUE, raw, words, at)
    return (events,), tuple(changes), return_value, _DIAGNOSTICS(words, at)


def _version_4(raw: bytes, words: Words, at: int) -> _Parts:
    n, at = read_count(words, at, 1)
    operations, changes = [], []
    for op in range(n):
        change, at = cut(ledger.CHANGES, raw, words, ledger.NOTHING(words, at))
        events, at = _events(raw, words, at, op)
        operations.append(events)
        changes.append(change)
    at = ledger.CHANGES(words, at)
    return_value, at = _return_value(raw, words, at)
    return tuple(operations), tuple(changes), return_value, _AFTER_V4(words, at)


def _return_value(raw: bytes, words: Words, at: int) -> tuple[bytes | None, int]:
    soroban, at = read_flag(words, at)
    if not soroban:
        return None, at
    there, at = read_flag(words, _SOROBAN_EXT(words, at))
    return cut(ledger.VALUE, raw, words, at) if there else (None, at)


def _events(raw: bytes, words: Words, at: int, op: int) -> tuple[tuple[bytes, ...], int]:
    n, at = read_count(words, at, 1)
    events = []
    for index in range(n):
        try:
            event, at = cut(ledger.EVENT, raw, words, at)
        except (XdrError, IndexError) as error:
            # The end of this event is unknown, so the events after it cannot be found either.
            cause = error if isinstance(error, XdrError) else ended_early(raw)
            what = f"operation {op}, event {index}: {cause.what}"
            raise XdrError(what, cause.offset) from error
        events.append(event)
    return tuple(events), at
