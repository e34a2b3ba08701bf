"""The parameters of RPC's getEvents, and the search for events. Pure.

Limits, texts and codes are those of stellar-rpc v28 and v30 (docs/architecture.md, "RPC").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge

from stellar_sdk import StrKey, xdr

from deploy.simulator.chain.fees import fees
from deploy.simulator.chain.ledger import LAST_OF_LEDGER, Ledger, Transaction
from deploy.simulator.chain.server_view import ServerView
from deploy.simulator.chain.values import Emitted
from deploy.simulator.faults.faults import FaultKind, Faults
from deploy.simulator.problems import (
    INVALID_REQUEST,
    RpcProblem,
    processing_limit,
)
from deploy.simulator.rpc.parameters import check_format, invalid, item, items, number
from shared.domain.instant import utc_text
from shared.domain.position import Position, parse_position

SCANNED = 10_000
"""The number of ledgers that one call searches. Also the largest number of events in an answer."""

DEFAULT_LIMIT = 100
REQUEST = "GetEventsRequest"
SUCCESS_UNTOLD = 30
"""The first version of stellar-rpc whose events have no `inSuccessfulContractCall`."""
_END = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class EventFilter:
    """An event passes if it matches every part of the filter. An empty part matches every event."""

    types: tuple[str, ...]
    contracts: tuple[str, ...]
    topics: tuple[tuple[str, ...], ...]

    def passes(self, event: Emitted) -> bool:
        """True if the event matches."""
        return (
            (not self.types or event.type in self.types)
            and (not self.contracts or event.contract_id in self.contracts)
            and (not self.topics or any(_matches(each, event.topics) for each in self.topics))
        )


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Events above `after`, from ledger `start` to `end` - 1 (`end` 0: to the last ledger)."""

    start: int
    after: Position
    end: int
    limit: int
    filters: tuple[EventFilter, ...]

    def wants(self, event: Emitted) -> bool:
        """True if the event matches one of the filters."""
        return not self.filters or any(each.passes(event) for each in self.filters)


def read_query(params: Mapping[str, object]) -> EventQuery:
    """Read the parameters of getEvents. Raises RpcProblem -32602 with the texts of stellar-rpc."""
    start = number(params, f"{REQUEST}.startLedger", "uint32")
    end = number(params, f"{REQUEST}.endLedger", "uint32")
    filters = _objects(params)
    pagination = item(params.get("pagination"), f"{REQUEST}.pagination", "PaginationOptions")
    limit = number(pagination, "PaginationOptions.pagination.limit", "uint")
    after = _cursor(pagination.get("cursor"))
    check_format(params, REQUEST)
    if after is not None and (start or end):
        raise invalid("ledger ranges and cursor cannot both be set")
    if after is None and start == 0:
        raise invalid("startLedger must be positive")
    if limit > SCANNED:
        raise invalid(f"limit must not exceed {SCANNED}")
    begin = after or Position(0, 0)
    start = start if after is None else after.ledger
    return EventQuery(start, begin, end, limit or DEFAULT_LIMIT, _filters(filters))


def scan(
    query: EventQuery, chain: ServerView, faults: Faults, protocol: int
) -> tuple[list[dict[str, object]], str]:
    """The matching events, and the cursor.

    The cursor is the last event if `limit` is reached, else the end of the searched ledgers. Raises
    RpcProblem -32600 if the start is outside the history, -32001 at a processing limit.
    """
    oldest, latest = chain.oldest.sequence, chain.latest.sequence
    if not oldest <= query.start <= latest:
        text = f"startLedger must be within the ledger range: {oldest} - {latest}"
        raise RpcProblem(INVALID_REQUEST, text)
    end = min(latest + 1, query.start + SCANNED, query.end or latest + 1)
    if fault := faults.take("getEvents", {FaultKind.PROCESSING_LIMIT}, end - query.start):
        raise processing_limit(fault.seconds)
    found: list[dict[str, object]] = []
    for ledger in chain.ledgers(query.start, end):
        events = merge(
            fees(ledger), _contract_events(query, ledger, faults), key=lambda each: each[1]
        )
        for transaction, position, event in events:
            if position > query.after and query.wants(event):
                found.append(_event(transaction, position, event, protocol))
                if len(found) == query.limit:
                    return found, padded(position)
    return found, padded(Position((end - 1 << 32) + LAST_OF_LEDGER, _END))


def _contract_events(
    query: EventQuery, ledger: Ledger, faults: Faults
) -> Iterator[tuple[Transaction, Position, Emitted]]:
    """All events of the operations of each transaction that has at least one matching event."""
    for each in ledger.transactions:
        if any(at > query.after and query.wants(event) for at, event in each.events()):
            shown = faults.distort("getEvents", each)
            yield from ((shown, position, event) for position, event in shown.events())


def padded(position: Position) -> str:
    """The id of an event in RPC's format."""
    return f"{position.toid:019}-{position.n:010}"


def _event(
    transaction: Transaction, position: Position, event: Emitted, protocol: int
) -> dict[str, object]:
    old = {"inSuccessfulContractCall": transaction.successful} if protocol < SUCCESS_UNTOLD else {}
    return {
        "type": event.type,
        "ledger": transaction.ledger,
        "ledgerClosedAt": utc_text(transaction.closed_at),
        "contractId": event.contract_id,
        "id": padded(position),
        "operationIndex": position.toid & 0xFFF,
        "transactionIndex": position.toid >> 12 & 0xFFFFF,
        "txHash": transaction.hash,
        **old,
        **({"topic": list(event.topics)} if event.topics else {}),
        "value": event.value,
    }


def _matches(wanted: Sequence[str], topics: Sequence[str]) -> bool:
    """True if the topics match. `*` matches one topic; `**` at the end matches all that remain."""
    if wanted[-1] == "**":
        wanted = wanted[:-1]
        topics = topics[: len(wanted)]
    pairs = zip(wanted, topics, strict=False)
    return len(wanted) == len(topics) and all(a in ("*", b) for a, b in pairs)


def _objects(params: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
    field = f"{REQUEST}.filters"
    found = items(params, field, "protocol.EventFilter")
    return [item(each, field, "EventFilter") for each in found]


def _filters(filters: Sequence[Mapping[str, object]]) -> tuple[EventFilter, ...]:
    if len(filters) > 5:
        raise invalid("maximum 5 filters per request")
    found = []
    for n, each in enumerate(filters, 1):
        try:
            found.append(_filter(each))
        except ValueError as error:
            raise invalid(f"filter {n} invalid: {error}") from None
    return tuple(found)


def _filter(body: Mapping[str, object]) -> EventFilter:
    types = tuple(filter(None, str(body.get("type") or "").split(",")))
    contracts = tuple(
        str(each) for each in items(body, "EventFilter.filters.contractIds", "string")
    )
    topics = [
        tuple(str(part) for part in _topic(each))
        for each in items(body, "EventFilter.filters.topics", "protocol.TopicFilter")
    ]
    if set(types) - {"system", "contract"}:
        raise ValueError("filter type invalid: if set, type must be either 'system' or 'contract'")
    if len(contracts) > 5:
        raise ValueError("maximum 5 contract IDs per filter")
    if len(topics) > 5:
        raise ValueError("maximum 5 topics per filter")
    for n, contract in enumerate(contracts, 1):
        if not StrKey.is_valid_contract(contract):
            raise ValueError(f"contract ID {n} invalid")
    for n, topic in enumerate(topics, 1):
        if reason := _invalid_reason(topic):
            raise ValueError(f"topic {n} invalid: {reason}")
    return EventFilter(types, contracts, tuple(topics))


def _topic(value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise invalid("invalid parameters")
    return value


def _invalid_reason(topic: Sequence[str]) -> str:
    """The reason why a topic filter is invalid; empty if it is valid."""
    if not topic:
        return "topic must have at least 1 segment"
    fixed = topic[:-1] if topic[-1] == "**" else topic
    if "**" in fixed:
        n = fixed.index("**") + 1
        return f"segment {n} invalid: wildcard '**' is only allowed as the last segment"
    if len(fixed) > 4:
        return "topic cannot have more than 4 segments"
    for part in fixed:
        if part != "*":
            _scval(part)
    return ""


def _scval(text: str) -> None:
    try:
        xdr.SCVal.from_xdr(text)
    except Exception:  # the SDK raises errors of struct, xdrlib and binascii
        raise invalid("invalid parameters") from None


def _cursor(value: object) -> Position | None:
    if value is None:
        return None
    try:
        return parse_position(str(value))
    except ValueError:
        raise invalid("invalid parameters", data=f"invalid event id {value}") from None
