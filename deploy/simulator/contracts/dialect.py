"""The names and the data fields of the stream contract's events on the chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deploy.simulator.chain.operations import camel
from deploy.simulator.chain.values import Emission, Typed
from shared.domain.events import Event, EventType

_DATA: dict[EventType, tuple[str, str]] = {
    EventType.CONTRACT_INITIALIZED: ("initialized", "admin fee_rate_bps treasury"),
    EventType.CONTRACT_FEE_CONFIG_UPDATED: (
        "fee_config_updated",
        "admin new_fee_rate_bps new_treasury old_fee_rate_bps old_treasury",
    ),
    EventType.CONTRACT_ADMIN_TRANSFERRED: ("admin_transferred", "new_admin previous_admin"),
    EventType.STREAM_FEE_COLLECTED: ("fee_collected", "fee_amount stream_id token treasury"),
    EventType.STREAM_CREATED: (
        "stream_created",
        "deposited_amount rate_per_second recipient sender start_time stream_id token_address",
    ),
    EventType.STREAM_TOPPED_UP: (
        "stream_topped_up",
        "amount new_deposited_amount new_end_time sender stream_id",
    ),
    EventType.STREAM_WITHDRAWN: ("tokens_withdrawn", "amount recipient stream_id timestamp"),
    EventType.STREAM_COMPLETED: ("stream_completed", "recipient stream_id total_withdrawn"),
    EventType.STREAM_CANCELLED: (
        "stream_cancelled",
        "amount_withdrawn recipient refunded_amount sender stream_id",
    ),
    EventType.STREAM_PAUSED: ("stream_paused", "paused_at sender stream_id"),
    EventType.STREAM_RESUMED: ("stream_resumed", "new_end_time sender stream_id"),
    EventType.STREAM_RECIPIENT_TRANSFERRED: (
        "recipient_transferred",
        "new_recipient old_recipient settled_amount stream_id timestamp",
    ),
    EventType.STREAM_RATE_MODIFIED: (
        "stream_rate_modified",
        "new_end_time new_rate_per_second old_rate_per_second sender stream_id timestamp",
    ),
}
"""The name of each event on the chain, and the fields of its data. See `_KINDS` for their types."""

_KINDS = {
    "u64": "new_end_time paused_at start_time stream_id timestamp",
    "u32": "fee_rate_bps new_fee_rate_bps old_fee_rate_bps",
    "address": "admin new_admin new_recipient new_treasury old_recipient old_treasury"
    " previous_admin recipient sender token token_address treasury",
}
_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names.split()}


def emission(contract_id: str, event: Event) -> Emission:
    """The event as it appears on the chain. Its data fields have snake_case names."""
    name, names = _DATA[event.type]
    facts = {**event.facts, "streamId": event.stream_id}
    data = {each: _typed(each, facts[camel(each)]) for each in names.split()}
    topics = [Typed("symbol", name)]
    if event.stream_id is not None:
        topics.append(Typed("u64", int(event.stream_id)))
    return Emission(contract_id, tuple(topics), data)


def _typed(name: str, value: object) -> Typed:
    kind = _KIND_OF.get(name, "i128")
    return Typed(kind, value if kind == "address" else int(str(value)))


def without(event: Emission, omit: Sequence[str]) -> Emission:
    """The event without the data fields in `omit`, as older contracts emit it."""
    if isinstance(event.data, Typed) or not omit:
        return event
    data = {name: value for name, value in event.data.items() if name not in omit}
    return replace(event, data=data)
