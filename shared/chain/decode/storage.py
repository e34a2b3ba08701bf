"""Read the schedule of a stream from its record in the contract's storage. Pure.

The contract stores a stream under the key `Stream(id)`. An enum of the contract is a list: its
name, then its values. An optional value is the value itself, or void.

A record of the deployed contract has no schedule, because the stream is linear. Later versions add
the fields in `_LATER`. If a record has any other field, its schedule is unknown, because such a
field could change what is claimable.

See docs/decisions/0082-schedule-from-the-meta.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.chain.xdr import ScVal, XdrError
from shared.chain.xdr.entries import StorageChange, storage_changes
from shared.domain.schedule import LINEAR, UNKNOWN, Schedule, ScheduleKind, Step

_DEPLOYED = frozenset(
    {
        *("sender", "recipient", "token_address"),
        *("rate_per_second", "deposited_amount", "withdrawn_amount"),
        *("start_time", "last_update_time", "is_active", "paused", "paused_at", "status"),
    }
)
_LATER = frozenset({"cliff_time", "schedule", "arbiter", "dispute_status", "is_allowance_based"})
_MOST_TIME = 1 << 63
"""Times are below this number, as in events: the sum of two such times fits into a u64."""


def schedules_in(changes: Sequence[bytes], contract: bytes) -> dict[str, Schedule]:
    """The schedule of each stream whose record a transaction wrote, by stream id.

    `changes`: the ledger entry changes of each operation. If they cannot be decoded, they are left
    out, and the schedules in them stay unknown.
    """
    found: dict[str, Schedule] = {}
    for raw in changes:
        try:
            written = storage_changes(raw, contract, _is_stream)
        except XdrError:
            continue
        found |= dict(filter(None, map(_schedule, written)))
    return found


def _is_stream(key: ScVal) -> bool:
    return isinstance(key, list) and key[:1] == ["Stream"]


def _schedule(change: StorageChange) -> tuple[str, Schedule] | None:
    match change.key:
        case ["Stream", int() as stream_id] if isinstance(change.value, dict):
            return str(stream_id), schedule_in(change.value)
    return None


def schedule_in(record: Mapping[ScVal, ScVal]) -> Schedule:
    """The schedule in a stream's record."""
    if not record.keys() >= _DEPLOYED or record.keys() - _DEPLOYED - _LATER:
        return UNKNOWN
    if record.get("is_allowance_based", False) is not False:
        return Schedule(kind=ScheduleKind.ALLOWANCE)
    match record.get("schedule", ["Linear"]), record.get("cliff_time"):
        case ["Linear"], None:
            return LINEAR
        case ["Linear"], int() as time if _is_time(time):
            return Schedule(kind=ScheduleKind.CLIFF, cliff_time=time)
        case ["HybridCliffLinear", int() as time, int() as amount], None if _is_time(time):
            return Schedule(kind=ScheduleKind.CLIFF_AMOUNT, cliff_time=time, cliff_amount=amount)
        case ["StepTranches", list() as steps], None:
            return _steps(steps)
    return UNKNOWN


def _steps(steps: Sequence[ScVal]) -> Schedule:
    found = []
    for step in steps:
        match step:
            case {"unlock_time": int() as time, "unlock_amount": int() as amount} if _is_time(time):
                found.append(Step(time, amount))
            case _:
                return UNKNOWN
    last = max((step.time for step in found), default=None)
    return Schedule(kind=ScheduleKind.STEPS, steps=tuple(found), last_time=last)


def _is_time(value: int) -> bool:
    return not isinstance(value, bool) and 0 <= value < _MOST_TIME
