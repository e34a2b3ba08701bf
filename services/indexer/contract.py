"""The stream contract's events: from names and fields on chain to events of ours.

Pure. Decoded by field name; fields that are missing or more than expected are tolerated as far as
the stream's state does not need them. Names nobody knows are kept raw as `chain.unknown`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from services.indexer.xdr import Address, ContractEvent, Pairs, ScVal
from shared.events import Event, EventType, Provenance
from shared.positions import Position

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

_NEEDED: Mapping[EventType, Mapping[str, type]] = {
    EventType.STREAM_CREATED: {
        "sender": Address,
        "recipient": Address,
        "token_address": Address,
        "rate_per_second": int,
        "deposited_amount": int,
        "start_time": int,
    },
    EventType.STREAM_TOPPED_UP: {"new_deposited_amount": int},
    EventType.STREAM_WITHDRAWN: {"amount": int},
    EventType.STREAM_CANCELLED: {"amount_withdrawn": int, "refunded_amount": int},
    EventType.STREAM_RECIPIENT_TRANSFERRED: {"new_recipient": Address},
    EventType.STREAM_RATE_MODIFIED: {"new_rate_per_second": int},
}
"""Fields without which the state after the event cannot be told."""

_OF_THE_CONTRACT = "contract."


class Unreadable(ValueError):
    """An event of the contract that lacks what its name promises; it goes to the dead letters."""


def read_event(event: ContractEvent, position: Position, source: Provenance, closed: int) -> Event:
    """Our event for one of the contract's; `closed` is the ledger's close in Unix seconds.

    Raises Unreadable.
    """
    name = _name(event)
    kind = _TYPES.get(name)
    stream_id = _stream_id(event)
    if kind is None:
        return Event(EventType.CHAIN_UNKNOWN, stream_id, closed, _raw(event), position, source)
    if kind.startswith(_OF_THE_CONTRACT):
        stream_id = None
    elif stream_id is None:
        raise Unreadable(f"{name}: its second topic is no stream id")
    fields = _fields(name, event.data)
    _check(name, kind, fields)
    facts = _facts(kind, fields, closed)
    timestamp = facts.get("timestamp", closed)
    return Event(kind, stream_id, int(str(timestamp)), facts, position, source)


def _name(event: ContractEvent) -> str:
    """The event's first topic when it is a symbol or string, "" otherwise."""
    name = event.topics[0] if event.topics else None
    return str(name) if isinstance(name, str) else ""


def _stream_id(event: ContractEvent) -> str | None:
    value = event.topics[1] if len(event.topics) > 1 else None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _fields(name: str, data: ScVal) -> dict[str, ScVal]:
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise Unreadable(f"{name}: its data is no map with names as keys")
    return {str(key): value for key, value in data.items()}


def _check(name: str, kind: EventType, fields: Mapping[str, ScVal]) -> None:
    for field, wanted in _NEEDED.get(kind, {}).items():
        value = fields.get(field)
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise Unreadable(f"{name}: {field!r} is missing or no {wanted.__name__}")


def _facts(kind: EventType, fields: Mapping[str, ScVal], closed: int) -> dict[str, object]:
    facts = {_camel(k): plain(k, v) for k, v in fields.items() if k != "stream_id"}
    if kind is EventType.STREAM_WITHDRAWN:
        facts.setdefault("timestamp", closed)
    if kind is EventType.STREAM_PAUSED:
        facts.setdefault("pausedAt", closed)
    return facts


def _raw(event: ContractEvent) -> dict[str, object]:
    """Everything there is, as base64 XDR, so that nothing is lost on a name yet unknown."""
    return {
        "name": _name(event),
        "topicsXdr": [base64.b64encode(topic).decode() for topic in event.topic_xdr],
        "valueXdr": base64.b64encode(event.value_xdr).decode(),
    }


def plain(name: str, value: ScVal) -> object:
    """JSON-ready: amounts and ids as decimal strings, times and basis points as numbers."""
    match value:
        case bool() | None:
            return value
        case int():
            return value if _is_number(name) else str(value)
        case bytes():
            return value.hex()
        case list():
            return [plain(name, item) for item in value]
        case dict():
            return {_camel(str(k)): plain(str(k), v) for k, v in value.items()}
        case Pairs():
            return [[plain("", k), plain("", v)] for k, v in value]
    return str(value)


def _is_number(name: str) -> bool:
    return name == "timestamp" or name.endswith(("_time", "_at", "_bps"))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
