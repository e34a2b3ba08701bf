"""Convert the stream contract's events into Headrace's events. Pure.

Each field is found by its name. If a field is missing or unknown, the event is still accepted,
unless the stream's state depends on that field. An event with an unknown name is kept raw, as
`chain.unknown`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import orjson

from services.indexer.xdr import Address, ContractEvent, Pairs, ScVal
from shared.domain.errors import HeadraceError
from shared.domain.events import Event, EventType, Provenance
from shared.domain.position import Position

_TYPES = {
    "initialized": EventType.CONTRACT_INITIALIZED,
    "fee_config_updated": EventType.CONTRACT_FEE_CONFIG_UPDATED,
    "admin_transferred": EventType.CONTRACT_ADMIN_TRANSFERRED,
    "fee_collected": EventType.STREAM_FEE_COLLECTED,
    "stream_created": EventType.STREAM_CREATED,
    "stream_topped_up": EventType.STREAM_TOPPED_UP,
    "tokens_withdrawn": EventType.STREAM_WITHDRAWN,
    "stream_completed": EventType.STREAM_COMPLETED,
    "stream_cancelled": EventType.STREAM_CANCELLED,
    "stream_paused": EventType.STREAM_PAUSED,
    "stream_resumed": EventType.STREAM_RESUMED,
    "recipient_transferred": EventType.STREAM_RECIPIENT_TRANSFERRED,
    "stream_rate_modified": EventType.STREAM_RATE_MODIFIED,
}


class _Rule(NamedTuple):
    """A condition that a field must meet, because the stream's state is computed from the field."""

    accepts: Callable[[ScVal], bool]
    expected: str


def _integer(value: ScVal) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _integer_below(most: int) -> Callable[[ScVal], bool]:
    return lambda value: _integer(value) and isinstance(value, int) and 0 <= value < most


_IS_ADDRESS = _Rule(lambda value: isinstance(value, Address), "address")
_IS_INTEGER = _Rule(_integer, "integer")
# Below 2^63: a pause is added to a stream's times, and JSON can hold a sum only below 2^64.
_IS_TIME = _Rule(_integer_below(1 << 63), "Unix time")
# Below 2^64: if an end time overflows, the contract stores the largest u64.
_IS_END_TIME = _Rule(_integer_below(1 << 64), "Unix time")

_REQUIRED_FIELDS: Mapping[EventType, Mapping[str, _Rule]] = {
    EventType.STREAM_CREATED: {
        "sender": _IS_ADDRESS,
        "recipient": _IS_ADDRESS,
        "token_address": _IS_ADDRESS,
        "rate_per_second": _IS_INTEGER,
        "deposited_amount": _IS_INTEGER,
        "start_time": _IS_TIME,
    },
    EventType.STREAM_TOPPED_UP: {"new_deposited_amount": _IS_INTEGER},
    EventType.STREAM_WITHDRAWN: {"amount": _IS_INTEGER},
    EventType.STREAM_CANCELLED: {"amount_withdrawn": _IS_INTEGER, "refunded_amount": _IS_INTEGER},
    EventType.STREAM_RECIPIENT_TRANSFERRED: {"new_recipient": _IS_ADDRESS},
    EventType.STREAM_RATE_MODIFIED: {"new_rate_per_second": _IS_INTEGER},
}
"""The required fields by event type: the stream's new state is computed from them."""

_OPTIONAL_FIELDS: Mapping[str, _Rule] = {
    "timestamp": _IS_TIME,
    "paused_at": _IS_TIME,
    "settled_amount": _IS_INTEGER,
    "new_end_time": _IS_END_TIME,
}
"""Optional fields: they are checked if the event has them. The value void counts as absent."""

_CONTRACT_PREFIX = "contract."


class UnreadableEventError(HeadraceError, ValueError):
    """An event of a watched contract lacks required data. It becomes a dead letter."""


def read_event(event: ContractEvent, position: Position, source: Provenance, closed: int) -> Event:
    """Convert an event of the stream contract. `closed`: the ledger's close in Unix seconds.

    Raises UnreadableEventError.
    """
    name = name_of(event)
    kind = _TYPES.get(name)
    stream_id = _stream_id(event)
    if kind is None:
        return Event(EventType.CHAIN_UNKNOWN, stream_id, closed, raw_facts(event), position, source)
    if kind.startswith(_CONTRACT_PREFIX):
        stream_id = None
    elif stream_id is None:
        raise UnreadableEventError(f"{name}: its second topic is not a stream id")
    fields = _fields(name, event.data)
    _check(name, kind, {_camel(field): value for field, value in fields.items()})
    facts = _facts(name, kind, fields, closed)
    stamp = fields.get("timestamp")
    timestamp = stamp if isinstance(stamp, int) else closed
    return Event(kind, stream_id, timestamp, facts, position, source)


def name_of(event: ContractEvent) -> str:
    """Return the event's first topic if it is a symbol or a string, else an empty string."""
    name = event.topics[0] if event.topics else None
    return str(name) if isinstance(name, str) else ""


def _stream_id(event: ContractEvent) -> str | None:
    """Return the second topic if it can be a stream id (a u64 from 1), else None."""
    value = event.topics[1] if len(event.topics) > 1 else None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 64:
        return None
    return str(value)


def _fields(name: str, data: ScVal) -> dict[str, ScVal]:
    fields = data if isinstance(data, dict) else {None: data}
    named = {key: value for key, value in fields.items() if isinstance(key, str)}
    if len(named) < len(fields):
        raise UnreadableEventError(f"{name}: its data is not a map with names as keys")
    return named


def _check(name: str, kind: EventType, camel: Mapping[str, ScVal]) -> None:
    for field, rule in _REQUIRED_FIELDS.get(kind, {}).items():
        if not rule.accepts(camel.get(_camel(field))):
            raise UnreadableEventError(
                f"{name}: {field!r} is missing or not of type {rule.expected}"
            )
    for field, rule in _OPTIONAL_FIELDS.items():
        if (value := camel.get(_camel(field))) is not None and not rule.accepts(value):
            raise UnreadableEventError(f"{name}: {field!r} is not of type {rule.expected}")


def _facts(
    name: str, kind: EventType, fields: Mapping[str, ScVal], closed: int
) -> dict[str, object]:
    facts = _named([(k, v) for k, v in fields.items() if k != "stream_id"])
    if kind is EventType.STREAM_WITHDRAWN and facts.get("timestamp") is None:
        facts["timestamp"] = closed
    if kind is EventType.STREAM_PAUSED and facts.get("pausedAt") is None:
        facts["pausedAt"] = closed
    if any(isinstance(fact, list | dict) for fact in facts.values()):
        _refuse_too_deep(name, facts)
    return facts


def _refuse_too_deep(name: str, facts: dict[str, object]) -> None:
    try:
        orjson.dumps(facts)
    except TypeError as error:  # orjson refuses data that is nested too deeply
        raise UnreadableEventError(
            f"{name}: its data cannot be written as JSON: {error}"
        ) from error


def raw_facts(event: ContractEvent) -> dict[str, object]:
    """Return the whole event as base64 XDR, so that no data of an unknown event is lost."""
    return {
        "name": name_of(event),
        "topicsXdr": [base64.b64encode(topic).decode() for topic in event.topic_xdr],
        "valueXdr": base64.b64encode(event.value_xdr).decode(),
    }


def to_json(name: str, value: ScVal) -> object:
    """Convert a value for JSON: times and basis points stay numbers, other integers become text."""
    match value:
        case str():
            return str(value)
        case bool() | None:
            return value
        case int():
            return value if _is_number(name) and 0 <= value < 1 << 64 else str(value)
        case bytes():
            return value.hex()
        case list():
            return [to_json(name, item) for item in value]
        case dict():
            return _named([(_text(k), v) for k, v in value.items()])
        case Pairs():
            return [[to_json("", k), to_json("", v)] for k, v in value]
    return str(value)


def _text(key: ScVal) -> str:
    return key.hex() if isinstance(key, bytes) else str(key)


def _named(fields: Sequence[tuple[str, ScVal]]) -> dict[str, object]:
    named = {_camel(name): to_json(name, value) for name, value in fields}
    if len(named) < len(fields):
        names = ", ".join(name for name, _ in fields)
        raise UnreadableEventError(f"two fields have the same name in camelCase: {names}")
    return named


@lru_cache(maxsize=256)
def _is_number(name: str) -> bool:
    return name == "timestamp" or name.endswith(("_time", "_at", "_bps"))


@lru_cache(maxsize=256)  # a contract has few field names
def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
