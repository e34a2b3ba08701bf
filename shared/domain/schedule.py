"""How the money of a stream becomes claimable: its schedule. Pure.

A stream of the API is always linear. The chain has other kinds too. The events of some of them do
not contain the whole schedule. Then the claimable amount is not known until the contract's own
state was read. Headrace shows it as unknown, instead of a wrong amount.

See docs/decisions/0081-claimable-can-be-unknown.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class ScheduleKind(StrEnum):
    """The kind of a schedule.

    * LINEAR: money accrues each second, from the anchor on.
    * CLIFF: the same, but nothing is claimable before the cliff.
    * CLIFF_AMOUNT: an amount becomes claimable at the cliff. The rest accrues each second, from
      the cliff on.
    * STEPS: amounts become claimable at fixed times.
    * ALLOWANCE: nothing is deposited; the contract takes the money from the sender's balance.
    * CONDITIONS: amounts become claimable when somebody confirms a condition.
    * UNKNOWN: the schedule was not read yet, or the record has a field that nobody knows.
    """

    LINEAR = "linear"
    CLIFF = "cliff"
    CLIFF_AMOUNT = "cliff_amount"
    STEPS = "steps"
    ALLOWANCE = "allowance"
    CONDITIONS = "conditions"
    UNKNOWN = "unknown"


class ClaimableUnknown(StrEnum):
    """Why the claimable amount cannot be computed."""

    STATE = "state_not_certain"
    SCHEDULE = "schedule_not_read"
    ALLOWANCE = "depends_on_allowance"
    CONDITIONS = "depends_on_conditions"


class Step(NamedTuple):
    """An amount in base units that becomes claimable at `time`, in Unix seconds."""

    time: int
    amount: int


_UNKNOWN_BY_KIND = {
    ScheduleKind.ALLOWANCE: ClaimableUnknown.ALLOWANCE,
    ScheduleKind.CONDITIONS: ClaimableUnknown.CONDITIONS,
    ScheduleKind.UNKNOWN: ClaimableUnknown.SCHEDULE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule. Times in Unix seconds. For STEPS, `last_time` can be known without `steps`."""

    kind: ScheduleKind = ScheduleKind.LINEAR
    cliff_time: int | None = None
    cliff_amount: int = 0
    steps: tuple[Step, ...] = ()
    last_time: int | None = None

    @property
    def unknown(self) -> ClaimableUnknown | None:
        """Why the claimable amount cannot be computed, or None if it can."""
        if self.kind is ScheduleKind.STEPS and not self.steps:
            return ClaimableUnknown.SCHEDULE
        return _UNKNOWN_BY_KIND.get(self.kind)


_NOT_IN_RECORDS = frozenset({ScheduleKind.ALLOWANCE, ScheduleKind.CONDITIONS})


def merged(known: Schedule, read: Schedule) -> Schedule:
    """The schedule of a stream after its record was read from the contract.

    A record need not contain conditions or an allowance. So a record without them is no reason to
    forget them.
    """
    return known if known.kind in _NOT_IN_RECORDS else read


LINEAR = Schedule()
UNKNOWN = Schedule(kind=ScheduleKind.UNKNOWN)


_LINEAR_DOCUMENT = {"kind": "linear"}  # of nearly all streams


def schedule_document(schedule: Schedule) -> dict[str, object]:
    """A schedule for JSON, with only the fields of its kind. Amounts are decimal strings."""
    document: dict[str, object] = {"kind": schedule.kind}
    if schedule.cliff_time is not None:
        document["cliffTime"] = schedule.cliff_time
    if schedule.kind is ScheduleKind.CLIFF_AMOUNT:
        document["cliffAmount"] = str(schedule.cliff_amount)
    if schedule.kind is ScheduleKind.STEPS:
        document["lastTime"] = schedule.last_time
        document["steps"] = [{"time": s.time, "amount": str(s.amount)} for s in schedule.steps]
    return document


def schedule_of(document: object) -> Schedule:
    """The schedule in a parsed document. LINEAR for None: earlier versions stored no schedule.

    Raises ValueError if the kind is not known, and KeyError if a field is missing.
    """
    if document == _LINEAR_DOCUMENT or not isinstance(document, Mapping):
        return LINEAR
    return Schedule(
        kind=ScheduleKind(document["kind"]),
        cliff_time=document.get("cliffTime"),
        cliff_amount=int(document.get("cliffAmount", 0)),
        steps=tuple(Step(s["time"], int(s["amount"])) for s in document.get("steps") or ()),
        last_time=document.get("lastTime"),
    )


def unlocked(steps: Sequence[Step], until: int) -> int:
    """The sum of all steps whose time is at most `until`."""
    return sum(step.amount for step in steps if step.time <= until)
