"""The schedule of a new stream, as the event of its creation tells it. Pure.

All these events become `stream.created`. Each has the fields of a linear stream, so that every
program that knows `stream.created` can read it, and a `schedule` if the stream is not linear.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from shared.domain.events import Event, EventType
from shared.domain.schedule import LINEAR, UNKNOWN, Schedule, ScheduleKind, schedule_document

Facts = Mapping[str, object]

_UNREAD = schedule_document(UNKNOWN)


def _steps(facts: Facts) -> Schedule:
    """The event has the time of the last step, but not the steps."""
    return Schedule(kind=ScheduleKind.STEPS, last_time=_number(facts, "lastUnlockTime"))


def _cliff_amount(facts: Facts) -> Schedule:
    return Schedule(
        kind=ScheduleKind.CLIFF_AMOUNT,
        cliff_time=_number(facts, "cliffTime"),
        cliff_amount=_number(facts, "cliffUnlockAmount"),
    )


def _allowance(facts: Facts) -> Schedule:
    return Schedule(kind=ScheduleKind.ALLOWANCE)


def _number(facts: Facts, name: str) -> int:
    return int(str(facts[name]))


_SCHEDULES: Mapping[str, Callable[[Facts], Schedule]] = {
    "step_vesting_stream_created": _steps,
    "hybrid_cliff_stream_created": _cliff_amount,
    "allowance_stream_created": _allowance,
}


def facts_of_creation(name: str, facts: Facts, closed: int) -> dict[str, object]:
    """The facts of a creation, with its schedule. `closed`: the ledger's close in Unix seconds.

    A stream of steps has no rate, an allowance has no deposit, and both kinds with fixed times have
    no start: they start when they are created.
    """
    if (schedule := _SCHEDULES.get(name)) is None:
        # A later contract may have a field of this name. Nobody knows yet what it means.
        return dict(facts) | ({"schedule": _UNREAD} if "schedule" in facts else {})
    missing = {"ratePerSecond": "0", "depositedAmount": "0", "startTime": closed}
    return missing | dict(facts) | {"schedule": schedule_document(schedule(facts))}


def with_schedule(event: Event, schedules: Mapping[str, Schedule]) -> Event:
    """The event, with its stream's schedule if it is a creation.

    `schedules`: by stream id, what the contract's storage says. The storage knows more than the
    events: the steps, and the cliff of a stream whose event is the same as for a linear stream. So
    without it, even a plain creation has an unknown schedule.
    """
    if event.type is not EventType.STREAM_CREATED:
        return event
    schedule = schedules.get(event.stream_id or "", UNKNOWN)
    if schedule == UNKNOWN and "schedule" in event.facts:
        return event
    facts = {name: value for name, value in event.facts.items() if name != "schedule"}
    if schedule != LINEAR:
        facts["schedule"] = schedule_document(schedule)
    return replace(event, facts=facts)
