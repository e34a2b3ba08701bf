"""The contract's storage: the key and the value of each stream's entry.

A stream without a cliff is stored as the deployed contract does it, with twelve fields. A stream
with a cliff has the fields of later versions too.
"""

from __future__ import annotations

from collections.abc import Mapping

from deploy.simulator.chain.values import Typed
from deploy.simulator.contracts.record import Record


def stream_key(stream_id: str) -> Typed:
    """The key of a stream's entry."""
    return _enum("Stream", Typed("u64", int(stream_id)))


def stream_value(record: Record) -> Mapping[str, Typed]:
    """The value of a stream's entry."""
    value = {
        "sender": Typed("address", record.sender),
        "recipient": Typed("address", record.recipient),
        "token_address": Typed("address", record.token),
        "rate_per_second": Typed("i128", record.rate),
        "deposited_amount": Typed("i128", record.deposited),
        "withdrawn_amount": Typed("i128", record.withdrawn),
        "start_time": Typed("u64", record.start),
        "last_update_time": Typed("u64", record.anchor),
        "is_active": Typed("bool", record.active),
        "paused": Typed("bool", record.paused),
        "paused_at": _optional(record.paused_at),
        "status": _enum(record.status),
    }
    if record.cliff is None:
        return value
    return value | {
        "cliff_time": _optional(record.cliff),
        "schedule": _enum("Linear"),
        "arbiter": Typed("void"),
        "dispute_status": _enum("None"),
        "is_allowance_based": Typed("bool", False),
    }


def _enum(name: str, *values: Typed) -> Typed:
    return Typed("vec", (Typed("symbol", str(name)), *values))


def _optional(value: int | None) -> Typed:
    return Typed("void") if value is None else Typed("u64", value)
