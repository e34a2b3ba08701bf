"""Convert the stream contract's events into Headrace's events. Pure.

Each field is found by its name. If a field is missing or unknown, the event is still accepted,
unless the stream's state depends on that field. An event with an unknown name is kept raw, as
`chain.unknown`. The names and the required fields are in `stream_events`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import lru_cache

import orjson

from shared.chain.decode.creations import facts_of_creation
from shared.chain.decode.stream_events import EVENT_RULES, OPTIONAL_FIELDS, EventRule
from shared.chain.xdr import ContractEvent, Pairs, ScVal
from shared.domain.errors import HeadraceError
from shared.domain.events import Event, EventType, Provenance
from shared.domain.position import Position

_SMALL = frozenset({"timestamp", "step_count", "milestone_id", "old_version", "new_version"})
_CONTRACT_PREFIX = "contract."
_FLAT = frozenset({str, int, bool, type(None)})
"""Types of facts that are not nested."""


class UnreadableEventError(HeadraceError, ValueError):
    """An event of a watched contract lacks required data. It becomes a dead letter."""


def read_event(event: ContractEvent, position: Position, source: Provenance, closed: int) -> Event:
    """Convert an event of the stream contract. `closed`: the ledger's close in Unix seconds.

    Raises UnreadableEventError.
    """
    name = _full_name(event)
    stream_id = _stream_id(event)
    if (rule := EVENT_RULES.get(name)) is None:
        return _raw_event(event, stream_id, closed, position, source)
    try:
        if rule.type.startswith(_CONTRACT_PREFIX):
            stream_id = None
        elif stream_id is None:
            raise UnreadableEventError(f"{name}: its second topic is not a stream id")
        fields = _fields(name, event.data)
        _check(name, rule, {_camel(field): value for field, value in fields.items()})
        facts = _facts(name, rule.type, fields, closed)
    except UnreadableEventError:
        if rule.announced:
            return _raw_event(event, _stream_id(event), closed, position, source)
        raise
    stamp = fields.get("timestamp")
    timestamp = stamp if isinstance(stamp, int) else closed
    return Event(rule.type, stream_id, timestamp, facts, position, source)


def _raw_event(
    event: ContractEvent, stream_id: str | None, closed: int, position: Position, source: Provenance
) -> Event:
    facts = raw_facts(event)
    return Event(EventType.CHAIN_UNKNOWN, stream_id, closed, facts, position, source)


def name_of(event: ContractEvent) -> str:
    """Return the event's first topic if it is a symbol or a string, else an empty string."""
    name = event.topics[0] if event.topics else None
    return str(name) if isinstance(name, str) else ""


def _full_name(event: ContractEvent) -> str:
    """The name in EVENT_RULES: two topics, if the first is only the name of the protocol."""
    name = name_of(event)
    if name == "FlowFi" and len(event.topics) > 1 and isinstance(event.topics[1], str):
        return f"FlowFi.{event.topics[1]}"
    return name


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


def _check(name: str, rule: EventRule, camel: Mapping[str, ScVal]) -> None:
    for field, required in rule.required.items():
        if not required.accepts(camel.get(_camel(field))):
            raise UnreadableEventError(
                f"{name}: {field!r} is missing or not of type {required.expected}"
            )
    for known in camel.keys() & _OPTIONAL:
        field, optional = _OPTIONAL[known]
        if camel[known] is not None and not optional.accepts(camel[known]):
            raise UnreadableEventError(f"{name}: {field!r} is not of type {optional.expected}")


def _facts(
    name: str, kind: EventType, fields: Mapping[str, ScVal], closed: int
) -> dict[str, object]:
    facts = _named([(k, v) for k, v in fields.items() if k != "stream_id"])
    if kind is EventType.STREAM_WITHDRAWN and facts.get("timestamp") is None:
        facts["timestamp"] = closed
    if kind is EventType.STREAM_PAUSED and facts.get("pausedAt") is None:
        facts["pausedAt"] = closed
    if kind is EventType.STREAM_CREATED:
        facts = facts_of_creation(name, facts, closed)
    if not _FLAT.issuperset(map(type, facts.values())):
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
    """Convert a value for JSON: times and small numbers stay numbers, other integers are text."""
    if type(value) is int:  # most values, so it comes first
        return value if _is_number(name) and 0 <= value < 1 << 64 else str(value)
    match value:
        case str():
            return str(value)
        case bool() | None:
            return value
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
    """True for times, basis points and other values of at most 32 bits."""
    return name in _SMALL or name.endswith(("_time", "_at", "_bps"))


@lru_cache(maxsize=256)  # a contract has few field names
def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


_OPTIONAL = {_camel(field): (field, rule) for field, rule in OPTIONAL_FIELDS.items()}
