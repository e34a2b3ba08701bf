"""Pages of getEvents, read strictly: what was said, and how far was looked. Pure.

The order of the events, that they are of the contracts asked for, and that the cursor moves
forward are checked: an answer that errs there has lost or invented something.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from services.indexer.decode.contracts import WatchedContracts
from services.indexer.decode.records import (
    MalformedError,
    base64_bytes,
    hash_text,
    matching,
    time_text,
    typed,
)
from shared.domain.instant import utc_text
from shared.domain.position import (
    LAST_OPERATION,
    LAST_TRANSACTION,
    Position,
    parse_position,
    transaction_of,
)

_PER_FILTER, _FILTERS = 5, 5
PER_CALL = _PER_FILTER * _FILTERS
"""Contracts that one call can ask for (stellar-rpc's limits)."""
_HEAD = struct.Struct(">II32sIII")
"""ContractEvent before its topics: extension, there is a contract, which, kind, body, count."""


class RpcEvent(NamedTuple):
    """One event: where it stands, its ContractEvent as XDR, and the transaction it is of."""

    position: Position
    raw: bytes
    hash: str
    closed_at: str

    @property
    def transaction(self) -> int:
        """TOID of its transaction."""
        return transaction_of(self.position.toid)


@dataclass(frozen=True, slots=True)
class EventPage:
    """An answer: events in order, how many it had, the cursor to go on from, the server's tip."""

    events: Sequence[RpcEvent]
    count: int
    cursor: Position
    latest: int
    closed_at: str


@dataclass(frozen=True, slots=True)
class TransactionEvents:
    """What one transaction's contracts said, as far as was asked for."""

    toid: int
    hash: str
    closed_at: str
    raw_events: Mapping[Position, bytes]


def filters(addresses: Sequence[str]) -> list[dict[str, object]]:
    """Filters of one call for up to PER_CALL contracts."""
    return [
        {"type": "contract", "contractIds": list(addresses[at : at + _PER_FILTER])}
        for at in range(0, len(addresses), _PER_FILTER)
    ]


def parse_page(
    result: Mapping[str, Any], contracts: WatchedContracts, after: Position
) -> EventPage:
    """Read the answer to what followed `after`. Raises MalformedError."""
    every = [_parse_event(each, contracts) for each in _read("events", result, _list)]
    cursor = _read("cursor", result, parse_position)
    positions = [after, *(each.position for each in every)]
    if any(b <= a for a, b in pairwise(positions)) or cursor < positions[-1]:
        raise MalformedError(
            f"its events are out of order: {after}, …, {positions[-1]}, cursor {cursor}"
        )
    latest = _read("latestLedger", result, _number)
    if cursor.ledger > max(latest, after.ledger):
        raise MalformedError(f"its cursor {cursor} is above its last ledger {latest}")
    events = [each for each in every if _is_of_operation(each.position.toid)]
    closed_at = _read("latestLedgerCloseTime", result, _unix_time)
    return EventPage(events, len(every), cursor, latest, closed_at)


def group_by_transaction(events: Iterable[RpcEvent]) -> list[TransactionEvents]:
    """The events by transaction, in order. Raises MalformedError where they do not agree."""
    grouped = []
    in_order = sorted(events, key=lambda each: each.position)
    for toid, members in groupby(in_order, lambda each: each.transaction):
        group = list(members)
        first = group[0]
        if any((e.hash, e.closed_at) != (first.hash, first.closed_at) for e in group):
            raise MalformedError(f"transaction {toid} has several hashes or times")
        raw_events = {each.position: each.raw for each in group}
        grouped.append(TransactionEvents(toid, first.hash, first.closed_at, raw_events))
    return grouped


def _is_of_operation(toid: int) -> bool:
    """Whether it is not of a transaction as a whole, as the fees of the native asset are.

    stellar-rpc puts those before the first transaction of the ledger, behind the last, or behind
    the last operation: under ids of several transactions, and no result proves them.
    """
    transaction, operation = toid >> 12 & LAST_TRANSACTION, toid & LAST_OPERATION
    return 0 < transaction < LAST_TRANSACTION and operation < LAST_OPERATION


def _parse_event(event: Any, contracts: WatchedContracts) -> RpcEvent:
    if not isinstance(event, dict):
        raise MalformedError(f"an event is {event!r:.80}")
    contract = contracts.by_address(_read("contractId", event, _text))
    if contract is None:
        raise MalformedError(f"an event is of {event['contractId']!r:.80}, which nobody asked for")
    position = _read("id", event, parse_position)
    if _read("ledger", event, _number) != position.ledger or position.toid >= 1 << 63:
        raise MalformedError(f"event {position} is not of ledger {event['ledger']}")
    # An event with no topics has no member `topic` at all.
    topics = [] if event.get("topic") is None else _read("topic", event, _all_base64)
    head = _HEAD.pack(0, 1, contract.raw, 1, 0, len(topics))
    raw = b"".join((head, *topics, _read("value", event, base64_bytes)))
    return RpcEvent(
        position, raw, _read("txHash", event, hash_text), _read("ledgerClosedAt", event, _time)
    )


def _read(name: str, body: Mapping[str, Any], read: Callable[[Any], Any]) -> Any:
    try:
        return read(body.get(name))
    except (TypeError, ValueError, OverflowError) as error:
        raise MalformedError(f"{name!r} is missing or wrong: {error!s:.200}") from error


def _all_base64(value: Any) -> list[bytes]:
    return [_topic(each) for each in _list(value)]


def _unix_time(value: Any) -> str:
    """Unix seconds, as text or as a number, as an ISO time."""
    seconds = int(_digits(str(value)))
    return utc_text(seconds)


_digits = matching(r"\d{1,11}")
_time = time_text
_text, _number, _list = typed(str), typed(int), typed(list)
_topic = lru_cache(maxsize=4096)(base64_bytes)
"""Names, ids and accounts, the same few again and again."""
