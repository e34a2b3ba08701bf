"""A payment stream: its state, and the money that has accrued.

Pure: the time is an argument. The rules are those of the stream contract (docs/architecture.md,
"Rules of a stream"). `shared.domain.transitions` has the effect of each event on the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from shared.domain.events import Origin
from shared.domain.schedule import LINEAR, ClaimableUnknown, Schedule, ScheduleKind, unlocked

I128_MAX = (1 << 127) - 1
U64_MAX = (1 << 64) - 1


class StreamStatus(StrEnum):
    """The status of a stream. COMPLETED and CANCELLED are final."""

    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({StreamStatus.COMPLETED, StreamStatus.CANCELLED})


class Acceptance(StrEnum):
    """The recipient's answer to a stream that somebody else made.

    A stream of the API begins PENDING if its sender is not its recipient. A stream of the chain is
    ACCEPTED from the start: its money is real, and nobody can refuse it. The recipient can hide
    both kinds. A hidden or pending stream is in no sum of the recipient.
    """

    PENDING = "pending"
    ACCEPTED = "accepted"
    HIDDEN = "hidden"


NOTICE_THRESHOLDS = (48 * 3600, 24 * 3600, 0)
"""Seconds before the end at which the notices are due: `running_low` twice, then `depleted`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The state of a stream after its latest event. Amounts in base units, times in Unix seconds.

    `last_update_time` is the *anchor*: money accrues from this time on. A cancellation sets
    `refunded`. `position` is the position of the latest event, or "" until this event is committed.
    `notices_sent` counts the NOTICE_THRESHOLDS of the current end that are done: a notice was sent,
    or the threshold had already passed when this end was set. `state_ledger` is the ledger as of
    which the state was last read from the contract; 0 if it was computed from events only.
    `archived`: the contract's record was archived at the last audit (CAP-46-12). The next
    transaction that uses the stream restores the record, for a fee (CAP-66). `uncertain`: events
    of the stream may be missing, so its amounts may be wrong.
    """

    id: str
    origin: Origin
    contract_id: str | None
    sender: str
    recipient: str
    token: str
    rate: int
    deposited: int
    withdrawn: int = 0
    refunded: int = 0
    start_time: int
    last_update_time: int
    paused_at: int | None = None
    schedule: Schedule = LINEAR
    status: StreamStatus = StreamStatus.ACTIVE
    notices_sent: int = 0
    acceptance: Acceptance = Acceptance.ACCEPTED
    metadata: Mapping[str, object] = field(default_factory=dict)
    state_ledger: int = 0
    archived: bool = False
    uncertain: bool = False
    version: int = 1
    position: str = ""
    created_at: int
    updated_at: int

    @property
    def terminal(self) -> bool:
        """True if the stream is completed or cancelled, so that no money will move again."""
        return self.status in TERMINAL

    @property
    def claimable_unknown(self) -> ClaimableUnknown | None:
        """Why the claimable amount cannot be computed, or None if it can."""
        if self.terminal:
            return None
        return ClaimableUnknown.STATE if self.uncertain else self.schedule.unknown


def remaining(stream: Stream) -> int:
    """The money still in the stream: deposited = withdrawn + refunded + remaining."""
    return stream.deposited - stream.withdrawn - stream.refunded


def claimable(stream: Stream, now: int) -> int | None:
    """The amount that the recipient could withdraw at `now`. Nothing accrues during a pause.

    None if it cannot be computed (`Stream.claimable_unknown`). If rate times seconds overflows an
    i128, the contract uses the remaining amount. `min` has the same effect here.
    """
    if stream.terminal:
        return 0
    if stream.claimable_unknown:
        return None
    until = now if stream.paused_at is None else stream.paused_at
    return max(0, min(_accrued(stream, until), remaining(stream)))


def _accrued(stream: Stream, until: int) -> int:
    """The amount that the schedule has made claimable by `until`, without what was withdrawn."""
    schedule = stream.schedule
    if schedule.kind is ScheduleKind.STEPS:
        return unlocked(schedule.steps, until) - stream.withdrawn
    if schedule.cliff_time is not None and until < schedule.cliff_time:
        return 0
    if schedule.kind is ScheduleKind.CLIFF_AMOUNT:
        since = max(0, until - (schedule.cliff_time or 0))
        rest = stream.deposited - schedule.cliff_amount
        return schedule.cliff_amount + min(stream.rate * since, rest) - stream.withdrawn
    return stream.rate * max(0, until - stream.last_update_time)


def end_time(stream: Stream) -> int | None:
    """The first second at which all money is claimable, in Unix seconds, at most 2^64-1.

    For a terminal stream: when it was completed or cancelled. None while the stream is paused, if
    its rate is zero, or if its schedule or its state is not known.
    """
    if stream.terminal:
        return stream.last_update_time
    if stream.status is StreamStatus.PAUSED or stream.uncertain:
        return None
    schedule = stream.schedule
    if schedule.kind is ScheduleKind.STEPS:
        return schedule.last_time
    if schedule.unknown or stream.rate <= 0:
        return None
    return min(U64_MAX, _depletion(stream))


def _depletion(stream: Stream) -> int:
    schedule = stream.schedule
    if schedule.kind is ScheduleKind.CLIFF_AMOUNT:
        rest = max(0, stream.deposited - schedule.cliff_amount)
        return (schedule.cliff_time or 0) + -(-rest // stream.rate)
    left = max(0, remaining(stream))  # negative only if an event of the chain could not be decoded
    return max(stream.last_update_time + -(-left // stream.rate), schedule.cliff_time or 0)


def announced_end(stream: Stream, now: int) -> int:
    """The end that an event announces as `newEndTime`, in Unix seconds. It can be above 2^64-1.

    The stream must be linear, with a rate above 0. As in the contract, the end is `now` plus the
    seconds until the rest of the money has accrued, rounded down. So `end_time`, which is rounded
    up, can be one second later. While the stream is paused, only the money up to the pause has
    accrued. Before the start of the stream, the seconds are added to the start.
    """
    left = max(0, remaining(stream) - (claimable(stream, now) or 0))
    return max(now, stream.start_time) + left // stream.rate
