"""The schedule of a new stream, from the event of its creation. Pure.

The events of all kinds of creation become `stream.created`. Each gets the fields of a linear
stream, so that every program that knows `stream.created` can read it. If the stream is not linear,
the event also gets a `schedule`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from shared.domain.events import Event, EventType
from shared.domain.schedule import (
    LINEAR,
    UNKNOWN,
    Schedule,
    ScheduleKind,
    merged,
    schedule_document,
    schedule_of,
)

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

    A stream with steps has no rate, and an allowance has no deposit: these are 0. A stream with
    steps or with an amount at a cliff has no start: it starts when it is created.
    """
    if (schedule := _SCHEDULES.get(name)) is None:
        # A later contract may add a field with this name, whose meaning is not known yet.
        return dict(facts) | ({"schedule": _UNREAD} if "schedule" in facts else {})
    missing = {"ratePerSecond": "0", "depositedAmount": "0", "startTime": closed}
    return missing | dict(facts) | {"schedule": schedule_document(schedule(facts))}


def with_schedule(event: Event, schedules: Mapping[str, Schedule]) -> Event:
    """The event. If it is a creation, with the schedule of its stream.

    `schedules`: the schedules in the contract's storage, by stream id. Only the storage contains
    the steps. A stream with a cliff can have the same event as a linear stream, so without the
    storage the schedule of a `stream_created` is unknown.
    """
    if event.type is not EventType.STREAM_CREATED:
        return event
    schedule = schedules.get(event.stream_id or "", UNKNOWN)
    if "schedule" in event.facts:
        if schedule == UNKNOWN:
            return event
        schedule = merged(schedule_of(event.facts["schedule"]), schedule)
    facts = {name: value for name, value in event.facts.items() if name != "schedule"}
    if schedule != LINEAR:
        facts["schedule"] = schedule_document(schedule)
    return replace(event, facts=facts)
