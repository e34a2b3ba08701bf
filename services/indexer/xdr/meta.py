"""TransactionMeta: the events of each operation, and what the consensus check needs.

All the rest, mostly ledger entries, is skipped by the shapes in `ledger`. Events of the wanted
contracts are decoded; of all others only the bytes are kept.
"""

import struct as _struct
from dataclasses import dataclass
from typing import TypeAlias

from services.indexer.xdr import ledger
from services.indexer.xdr.event import ContractEvent, contract_of, decode_contract_event
from services.indexer.xdr.reader import U32, XdrError, count, ended_early, finish, flag, guarded
from services.indexer.xdr.shapes import Shape, array, struct, union

Wanted: TypeAlias = frozenset[bytes] | None
Indexed: TypeAlias = tuple[tuple[int, ContractEvent], ...]

_BEFORE = struct(ledger.NOTHING, ledger.CHANGES)
_FEES = struct(ledger.NOTHING, 3 * 8)
_SOROBAN_EXT = union("SorobanTransactionMeta.ext", {0: 0, 1: _FEES})
_DIAGNOSTICS = array(ledger.DIAGNOSTIC_EVENT)
_AFTER_V3 = struct(array(ledger.CHANGES), ledger.CHANGES)
_AFTER_V4 = struct(array(ledger.TRANSACTION_EVENT), _DIAGNOSTICS)


@dataclass(frozen=True, slots=True)
class TransactionMeta:
    """What a transaction did, as far as events go.

    `event_xdr[op]` has the XDR of every event of an operation. `operations[op]` has the wanted
    ones, decoded, each with its index in `event_xdr[op]`, which is the index in its id.
    `return_value` is the XDR of the ScVal that a contract's call returned.
    Metas 0 to 2 precede Soroban and have no events; version 3 has them on operation 0 only.
    """

    version: int
    operations: tuple[Indexed, ...]
    return_value: bytes | None
    event_xdr: tuple[tuple[bytes, ...], ...] = ()


class UndecodableEventError(XdrError):
    """An event that cannot be decoded, for a dead-letter log.

    With `raw` it is a wanted event whose bytes are known but not understood (`offset` is in them).
    Without `raw` its end could not be found, and so neither the events after it: any of them may
    be wanted, whatever the contract of this one.
    """

    def __init__(
        self, cause: XdrError, operation: int, index: int, contract: bytes | None, raw: bytes | None
    ) -> None:
        super().__init__(f"operation {operation}, event {index}: {cause.what}", cause.offset)
        self.operation = operation
        self.index = index
        self.contract = contract
        self.raw = raw


@guarded
def decode_meta(raw: bytes, contracts: Wanted = None) -> TransactionMeta:
    """Decode a TransactionMeta. `contracts` are raw 32-byte ids, None for all of them.

    Raises XdrError; UndecodableEventError when it is an event that cannot be decoded.
    """
    (version,) = U32(raw, 0)
    if version <= 2:
        return TransactionMeta(version, (), None)
    if version > 4:
        raise XdrError(f"TransactionMeta has no version {version}; 0 to 4 are known", 0)
    at = _BEFORE(raw, 4)
    read = _version_3 if version == 3 else _version_4
    event_xdr, return_value, at = read(raw, at)
    finish(raw, at)
    operations = tuple(_decoded(op, events, contracts) for op, events in enumerate(event_xdr))
    return TransactionMeta(version, operations, return_value, event_xdr)


_Parts: TypeAlias = tuple[tuple[tuple[bytes, ...], ...], bytes | None, int]


def _version_3(buf: bytes, at: int) -> _Parts:
    at = _AFTER_V3(buf, at)
    there, at = flag(buf, at)
    if not there:
        return (), None, at
    at = _SOROBAN_EXT(buf, at)
    events, at = _events(buf, at, 0)
    return_value, at = _cut(ledger.VALUE, buf, at)
    return (events,), return_value, _DIAGNOSTICS(buf, at)


def _version_4(buf: bytes, at: int) -> _Parts:
    n, at = count(buf, at, 4)
    operations = []
    for op in range(n):
        events, at = _events(buf, _BEFORE(buf, at), op)
        operations.append(events)
    at = ledger.CHANGES(buf, at)
    return_value, at = _returned(buf, at)
    return tuple(operations), return_value, _AFTER_V4(buf, at)


def _returned(buf: bytes, at: int) -> tuple[bytes | None, int]:
    soroban, at = flag(buf, at)
    if not soroban:
        return None, at
    there, at = flag(buf, _SOROBAN_EXT(buf, at))
    return _cut(ledger.VALUE, buf, at) if there else (None, at)


def _events(buf: bytes, at: int, op: int) -> tuple[tuple[bytes, ...], int]:
    n, at = count(buf, at, 4)
    events = []
    for index in range(n):
        try:
            event, at = _cut(ledger.EVENT, buf, at)
        except (XdrError, _struct.error) as error:
            cause = error if isinstance(error, XdrError) else ended_early(buf)
            raise UndecodableEventError(cause, op, index, _contract(buf, at), None) from error
        events.append(event)
    return tuple(events), at


def _cut(shape: Shape, buf: bytes, at: int) -> tuple[bytes, int]:
    end = shape(buf, at)
    if end > len(buf):
        raise ended_early(buf)
    return buf[at:end], end


def _decoded(op: int, events: tuple[bytes, ...], wanted: Wanted) -> Indexed:
    found = []
    for index, raw in enumerate(events):
        contract, _ = contract_of(raw, 0)
        if wanted is None or contract in wanted:
            try:
                found.append((index, decode_contract_event(raw)))
            except XdrError as error:
                raise UndecodableEventError(error, op, index, contract, raw) from error
    return tuple(found)


def _contract(buf: bytes, at: int) -> bytes | None:
    try:
        return contract_of(buf, at)[0]
    except (XdrError, _struct.error):
        return None
