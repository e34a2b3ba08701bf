"""A stream as the contract stores it, read from an entry of the contract's storage. Pure.

See docs/decisions/0082-schedule-from-the-meta.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from shared.chain.decode.storage import schedule_in
from shared.chain.xdr import Address, ContractInstance, ScVal
from shared.domain.errors import HeadraceError
from shared.domain.schedule import Schedule

Fields = Mapping[ScVal, ScVal]


class UnreadableRecordError(HeadraceError, ValueError):
    """A field of a record is missing, or has another type. The message names the field."""


class StreamRecord(NamedTuple):
    """A stream as the contract stores it. Amounts in base units, times in Unix seconds.

    `active` is False after the end of the stream, but `status` can be Active: if a stream is
    cancelled during a pause, the contract still allows a resume, which changes the status.
    """

    sender: str
    recipient: str
    token: str
    rate: int
    deposited: int
    withdrawn: int
    start: int
    anchor: int
    active: bool
    paused_at: int | None
    status: str
    schedule: Schedule


def read_record(value: ScVal) -> StreamRecord:
    """The record in an entry. Raises UnreadableRecordError."""
    if not isinstance(value, dict):
        raise UnreadableRecordError("the entry of a stream is not a map")
    paused_at = _time(value, "paused_at") if _flag(value, "paused") else None
    return StreamRecord(
        sender=_address(value, "sender"),
        recipient=_address(value, "recipient"),
        token=_address(value, "token_address"),
        rate=_amount(value, "rate_per_second"),
        deposited=_amount(value, "deposited_amount"),
        withdrawn=_amount(value, "withdrawn_amount"),
        start=_time(value, "start_time"),
        anchor=_time(value, "last_update_time"),
        active=_flag(value, "is_active"),
        paused_at=paused_at,
        status=_name(value, "status"),
        schedule=schedule_in(value),
    )


def _address(fields: Fields, name: str) -> str:
    if not isinstance(value := fields.get(name), Address):
        raise _wrong(name, "address")
    return str(value)


def _amount(fields: Fields, name: str) -> int:
    return _integer(fields, name, "i128", range(-(1 << 127), 1 << 127))


def _time(fields: Fields, name: str) -> int:
    return _integer(fields, name, "u64", range(1 << 64))


def _integer(fields: Fields, name: str, expected: str, allowed: range) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value not in allowed:
        raise _wrong(name, expected)
    return value


def _flag(fields: Fields, name: str) -> bool:
    if not isinstance(value := fields.get(name), bool):
        raise _wrong(name, "bool")
    return value


def _name(fields: Fields, name: str) -> str:
    match fields.get(name):
        case [str() as value]:
            return str(value)
    raise _wrong(name, "list with a name")


def _wrong(name: str, expected: str) -> UnreadableRecordError:
    return UnreadableRecordError(f"{name!r} is missing or not of type {expected}")


def stream_count(instance: ScVal) -> int:
    """The number of streams that the contract has created, from its instance.

    The first stream adds `StreamCounter`, so an instance without it has created none. Raises
    UnreadableRecordError.
    """
    if not isinstance(instance, ContractInstance):
        raise UnreadableRecordError("the entry is not a contract's instance")
    for key, value in instance.pairs():
        if key == ["StreamCounter"]:
            if not isinstance(value, int) or isinstance(value, bool):
                raise _wrong("StreamCounter", "integer")
            return value
    return 0
