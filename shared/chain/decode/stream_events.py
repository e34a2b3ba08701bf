"""The stream contract's events: the name of each on the chain, its type, and its required fields.

Pure. Two kinds of events are in the table: those of the deployed contract, and those that its
authors have announced. The fields of the announced ones can still change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from shared.chain.xdr import Address, ScVal
from shared.domain.events import EventType


class FieldRule(NamedTuple):
    """A condition that a field must meet, because the stream's state is computed from the field."""

    accepts: Callable[[ScVal], bool]
    expected: str


class EventRule(NamedTuple):
    """How to read an event: its type, and its required fields.

    `announced`: the event is on no network yet. If one of its fields is missing or wrong, the event
    is kept raw, and does not become a dead letter.
    """

    type: EventType
    required: Mapping[str, FieldRule] = {}
    announced: bool = False


def _integer(value: ScVal) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _integer_below(most: int) -> Callable[[ScVal], bool]:
    return lambda value: _integer(value) and isinstance(value, int) and 0 <= value < most


_ADDRESS = FieldRule(lambda value: isinstance(value, Address), "address")
_OPTIONAL_ADDRESS = FieldRule(lambda value: value is None or isinstance(value, Address), "address")
_INTEGER = FieldRule(_integer, "integer")
_FLAG = FieldRule(lambda value: isinstance(value, bool), "bool")
_HASH = FieldRule(lambda value: isinstance(value, bytes), "bytes")
# Below 2^63: a pause is added to a stream's times, and JSON can hold a sum only below 2^64.
_TIME = FieldRule(_integer_below(1 << 63), "Unix time")
# Below 2^64: if an end time overflows, the contract stores the largest u64.
_END_TIME = FieldRule(_integer_below(1 << 64), "Unix time")

_PARTIES = {"sender": _ADDRESS, "recipient": _ADDRESS, "token_address": _ADDRESS}


def _announced(kind: EventType, required: Mapping[str, FieldRule]) -> EventRule:
    return EventRule(kind, required, announced=True)


EVENT_RULES: Mapping[str, EventRule] = {
    "initialized": EventRule(EventType.CONTRACT_INITIALIZED),
    "fee_config_updated": EventRule(EventType.CONTRACT_FEE_CONFIG_UPDATED),
    "admin_transferred": EventRule(EventType.CONTRACT_ADMIN_TRANSFERRED),
    "fee_collected": EventRule(EventType.STREAM_FEE_COLLECTED),
    "stream_created": EventRule(
        EventType.STREAM_CREATED,
        {
            **_PARTIES,
            "rate_per_second": _INTEGER,
            "deposited_amount": _INTEGER,
            "start_time": _TIME,
        },
    ),
    "stream_topped_up": EventRule(EventType.STREAM_TOPPED_UP, {"new_deposited_amount": _INTEGER}),
    "tokens_withdrawn": EventRule(EventType.STREAM_WITHDRAWN, {"amount": _INTEGER}),
    "stream_completed": EventRule(EventType.STREAM_COMPLETED),
    "stream_cancelled": EventRule(
        EventType.STREAM_CANCELLED, {"amount_withdrawn": _INTEGER, "refunded_amount": _INTEGER}
    ),
    "stream_paused": EventRule(EventType.STREAM_PAUSED),
    "stream_resumed": EventRule(EventType.STREAM_RESUMED),
    "recipient_transferred": EventRule(
        EventType.STREAM_RECIPIENT_TRANSFERRED, {"new_recipient": _ADDRESS}
    ),
    "stream_rate_modified": EventRule(
        EventType.STREAM_RATE_MODIFIED, {"new_rate_per_second": _INTEGER}
    ),
    "step_vesting_stream_created": _announced(
        EventType.STREAM_CREATED,
        {
            **_PARTIES,
            "deposited_amount": _INTEGER,
            "step_count": _INTEGER,
            "last_unlock_time": _TIME,
        },
    ),
    "hybrid_cliff_stream_created": _announced(
        EventType.STREAM_CREATED,
        {
            **_PARTIES,
            "deposited_amount": _INTEGER,
            "cliff_time": _TIME,
            "cliff_unlock_amount": _INTEGER,
            "rate_per_second": _INTEGER,
        },
    ),
    "allowance_stream_created": _announced(
        EventType.STREAM_CREATED,
        {**_PARTIES, "rate_per_second": _INTEGER, "start_time": _TIME},
    ),
    "milestone_condition_unlocked": _announced(
        EventType.STREAM_MILESTONE_UNLOCKED,
        {"milestone_id": _INTEGER, "amount": _INTEGER, "caller": _ADDRESS},
    ),
    "dispute_requested": _announced(
        EventType.STREAM_DISPUTE_REQUESTED, {"sender": _ADDRESS, "arbiter": _ADDRESS}
    ),
    "dispute_resolved": _announced(
        EventType.STREAM_DISPUTE_RESOLVED, {"arbiter": _ADDRESS, "approved": _FLAG}
    ),
    "stream_closed": _announced(EventType.STREAM_CLOSED, {"closer": _ADDRESS}),
    "protocol_pause_status": _announced(
        EventType.CONTRACT_PAUSE_CHANGED, {"caller": _ADDRESS, "paused": _FLAG}
    ),
    "FlowFi.ProtocolPaused": _announced(
        EventType.CONTRACT_PAUSE_CHANGED, {"admin": _ADDRESS, "is_paused": _FLAG}
    ),
    "emergency_guardian_updated": _announced(
        EventType.CONTRACT_GUARDIAN_UPDATED, {"admin": _ADDRESS, "guardian": _OPTIONAL_ADDRESS}
    ),
    "contract_upgraded": _announced(
        EventType.CONTRACT_UPGRADED,
        {"admin": _ADDRESS, "old_wasm_hash": _HASH, "new_wasm_hash": _HASH},
    ),
    "state_migrated": _announced(
        EventType.CONTRACT_STATE_MIGRATED,
        {"admin": _ADDRESS, "old_version": _INTEGER, "new_version": _INTEGER},
    ),
}
"""By the name of the event: its first topic. A name with a point stands for two topics."""

OPTIONAL_FIELDS: Mapping[str, FieldRule] = {
    "timestamp": _TIME,
    "paused_at": _TIME,
    "settled_amount": _INTEGER,
    "new_end_time": _END_TIME,
}
"""Fields of any event: they are checked if the event has them. The value void counts as absent."""
