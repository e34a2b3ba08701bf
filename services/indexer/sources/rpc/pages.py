"""Parse and check the answers of getEvents. Pure.

The events must be in order and from the requested contracts, and the cursor must move forward. If
an answer breaks these rules, the server has lost or invented events.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Any, NamedTuple, NoReturn

from shared.chain.decode.contracts import WatchedContracts
from shared.chain.decode.records import (
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
"""The most contracts that one call can ask for (stellar-rpc's limits)."""
_HEAD = struct.Struct(">II32sIII")
"""The parts of a ContractEvent before its topics.

They are: extension, flag that a contract id follows, contract id, kind, version of the body, number
of topics.
"""


class RpcEvent(NamedTuple):
    """One event: its position, its ContractEvent in XDR, its transaction's hash and close time."""

    position: Position
    raw: bytes
    hash: str
    closed_at: str

    @property
    def transaction(self) -> int:
        """The TOID of the event's transaction."""
        return transaction_of(self.position.toid)


@dataclass(frozen=True, slots=True)
class RpcEventPage:
    """An answer of getEvents.

    `events`: the events of operations, in order. `count`: the number of all events in the answer.
    `cursor`: where the next page begins. `latest`, `closed_at`: the server's last ledger, and when
    it closed.
    """

    events: Sequence[RpcEvent]
    count: int
    cursor: Position
    latest: int
    closed_at: str


@dataclass(frozen=True, slots=True)
class TransactionEvents:
    """The events of one transaction that getEvents returned; `raw_events` has their XDR."""

    toid: int
    hash: str
    closed_at: str
    raw_events: Mapping[Position, bytes]


def filters(addresses: Sequence[str]) -> list[dict[str, object]]:
    """Create the parameter `filters` for up to PER_CALL contracts."""
    return [
        {"type": "contract", "contractIds": list(addresses[at : at + _PER_FILTER])}
        for at in range(0, len(addresses), _PER_FILTER)
    ]


def parse_page(
    result: Mapping[str, Any], contracts: WatchedContracts, after: Position
) -> RpcEventPage:
    """Parse an answer that has the events after the position `after`. Raises MalformedError."""
    every = [_parse_event(each, contracts) for each in _read("events", result, _list)]
    cursor = _read("cursor", result, parse_position)
    positions = [after, *(each.position for each in every)]
    if any(b <= a for a, b in pairwise(positions)) or cursor < positions[-1]:
        raise MalformedError(
            f"the events are out of order: {after}, …, {positions[-1]}, cursor {cursor}"
        )
    latest = _read("latestLedger", result, _number)
    if cursor.ledger > max(latest, after.ledger):
        raise MalformedError(f"the cursor {cursor} is above the last ledger {latest}")
    events = [each for each in every if _is_of_operation(each.position.toid)]
    closed_at = _read("latestLedgerCloseTime", result, _unix_time)
    return RpcEventPage(events, len(every), cursor, latest, closed_at)


def group_by_transaction(events: Iterable[RpcEvent]) -> list[TransactionEvents]:
    """Group events by transaction, in order.

    Raises MalformedError if a transaction's events differ in hash or close time.
    """
    grouped = []
    in_order = sorted(events, key=lambda each: each.position)
    for toid, members in groupby(in_order, lambda each: each.transaction):
        group = list(members)
        first = group[0]
        if any((e.hash, e.closed_at) != (first.hash, first.closed_at) for e in group):
            raise MalformedError(f"the events of transaction {toid} differ in hash or close time")
        raw_events = {each.position: each.raw for each in group}
        grouped.append(TransactionEvents(toid, first.hash, first.closed_at, raw_events))
    return grouped


def _is_of_operation(toid: int) -> bool:
    """True if the event belongs to an operation, False if it belongs to the whole transaction.

    Fee events of the native asset belong to a whole transaction (CAP-67). stellar-rpc gives them
    ids before the first transaction of the ledger, after the last transaction, or after the last
    operation. So the fee events of one transaction can have the TOIDs of different transactions,
    and no result proves fee events. The indexer skips them.
    """
    transaction, operation = toid >> 12 & LAST_TRANSACTION, toid & LAST_OPERATION
    return 0 < transaction < LAST_TRANSACTION and operation < LAST_OPERATION


def _parse_event(event: Any, contracts: WatchedContracts) -> RpcEvent:
    """Parse an event. Fields are not read with `_read`: a backfill has a million events."""
    try:
        position, contract = parse_position(event["id"]), contracts.by_address(event["contractId"])
        # An event without topics has no field `topic`.
        topics = [] if (listed := event.get("topic")) is None else list(map(_topic, _list(listed)))
        value, digest = base64_bytes(event["value"]), hash_text(event["txHash"])
        closed_at, ledger = _time(event["ledgerClosedAt"]), _number(event["ledger"])
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        _refuse(event, contracts)
    if contract is None or ledger != position.ledger or position.toid >= 1 << 63:
        _refuse(event, contracts)
    head = _HEAD.pack(0, 1, contract.raw, 1, 0, len(topics))
    return RpcEvent(position, b"".join((head, *topics, value)), digest, closed_at)


def _refuse(event: Any, contracts: WatchedContracts) -> NoReturn:
    """Raise the MalformedError that names what is wrong with an event."""
    if not isinstance(event, dict):
        raise MalformedError(f"an event is not an object: {event!r:.80}")
    if contracts.by_address(_read("contractId", event, _text)) is None:
        raise MalformedError(
            f"an event is of {event['contractId']!r:.80}, a contract that was not requested"
        )
    position = _read("id", event, parse_position)
    _read("ledger", event, _number)
    for name, read in (("value", base64_bytes), ("txHash", hash_text), ("ledgerClosedAt", _time)):
        _read(name, event, read)
    _read("topic", event, lambda value: list(map(_topic, _list(value or []))))
    raise MalformedError(f"event {position} is not in ledger {event['ledger']}")


def _read(name: str, body: Mapping[str, Any], read: Callable[[Any], Any]) -> Any:
    try:
        return read(body.get(name))
    except (TypeError, ValueError, OverflowError) as error:
        raise MalformedError(f"{name!r} is missing or wrong: {error!s:.200}") from error


def _unix_time(value: Any) -> str:
    """Convert Unix seconds, as a string or a number, to an ISO 8601 time."""
    seconds = int(_digits(str(value)))
    return utc_text(seconds)


_digits = matching(r"\d{1,11}")
_time = time_text
_text, _number, _list = typed(str), typed(int), typed(list)
_topic = lru_cache(maxsize=4096)(base64_bytes)
"""Cached, because the same names, ids and accounts are in many events."""
