"""A payment stream: its state, the money that has accrued, and the effect of each event.

Pure: the time is an argument. The rules are those of the stream contract (docs/architecture.md,
"Rules of a stream"). `apply` returns the state after any event, whether the event comes from
`shared.domain.commands` or from the chain. So both kinds of streams follow the same rules.

See docs/decisions/0018-notices-from-a-schedule.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from shared.domain.events import Event, EventType, Origin

I128_MAX = (1 << 127) - 1
U64_MAX = (1 << 64) - 1


class StreamStatus(StrEnum):
    """The status of a stream. COMPLETED and CANCELLED are final."""

    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({StreamStatus.COMPLETED, StreamStatus.CANCELLED})

NOTICE_THRESHOLDS = (48 * 3600, 24 * 3600, 0)
"""Seconds before the end at which the notices are due: `running_low` twice, then `depleted`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The state of a stream after its latest event. Amounts in base units, times in Unix seconds.

    `last_update_time` is the *anchor*: money accrues from this time on. A cancellation sets
    `refunded`. `position` is the position of the latest event, or "" until this event is committed.
    `notices_sent` counts the NOTICE_THRESHOLDS of the current end that are done: a notice was sent,
    or the threshold had already passed when this end was set.
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
    status: StreamStatus = StreamStatus.ACTIVE
    notices_sent: int = 0
    metadata: Mapping[str, object] = field(default_factory=dict)
    version: int = 1
    position: str = ""
    created_at: int
    updated_at: int

    @property
    def terminal(self) -> bool:
        """True if the stream is completed or cancelled, so that no money will move again."""
        return self.status in TERMINAL


def remaining(stream: Stream) -> int:
    """The money still in the stream: deposited = withdrawn + refunded + remaining."""
    return stream.deposited - stream.withdrawn - stream.refunded


def claimable(stream: Stream, now: int) -> int:
    """The amount that the recipient could withdraw at `now`. Nothing accrues during a pause.

    If rate times seconds overflows an i128, the contract uses the remaining amount. `min` has the
    same effect here.
    """
    if stream.terminal:
        return 0
    until = now if stream.paused_at is None else stream.paused_at
    elapsed = max(0, until - stream.last_update_time)
    return max(0, min(stream.rate * elapsed, remaining(stream)))


def end_time(stream: Stream) -> int | None:
    """When the deposit is used up, in Unix seconds.

    For a terminal stream: when it was completed or cancelled. None while the stream is paused or
    its rate is zero.
    """
    if stream.terminal:
        return stream.last_update_time
    if stream.status is StreamStatus.PAUSED or stream.rate <= 0:
        return None
    return depletion_time(stream)


def depletion_time(stream: Stream) -> int:
    """The second at which all remaining money has accrued, at most 2^64-1. The rate must be > 0."""
    left = max(0, remaining(stream))  # negative only if an event of the chain could not be decoded
    return min(U64_MAX, stream.last_update_time + -(-left // stream.rate))


def apply(stream: Stream | None, event: Event) -> Stream | None:
    """The state after `event`, with a version one higher.

    None if the stream is not known, because it was created before the indexer started. Raises
    ValueError when the event lacks a field that the state needs.
    """
    if event.type is EventType.STREAM_CREATED:
        return _reset_notices(_created(event, 1 if stream is None else stream.version + 1))
    if stream is None:
        return None
    change = _CHANGES.get(event.type)
    # A chain event can be older than an API update that was applied before it; keep the later time.
    latest = max(stream.updated_at, event.timestamp)
    changed = replace(stream, version=stream.version + 1, updated_at=latest, position="")
    if change is not None and (not stream.terminal or event.type in _ALSO_WHEN_TERMINAL):
        changed = change(changed, event)
    same_end = (changed.status, end_time(changed)) == (stream.status, end_time(stream))
    return changed if same_end else _reset_notices(changed)


def _reset_notices(stream: Stream) -> Stream:
    """Skip notices that were already due when the end changed, except `depleted`."""
    end = end_time(stream) if stream.status is StreamStatus.ACTIVE else None
    left = (U64_MAX if end is None else end) - stream.updated_at
    return replace(stream, notices_sent=sum(left <= before for before in NOTICE_THRESHOLDS[:-1]))


def _created(event: Event, version: int) -> Stream:
    start = event.require_number("startTime")
    metadata = event.facts.get("metadata")
    return Stream(
        id=event.stream_id or "",
        origin=event.origin,
        contract_id=event.provenance.contract_id if event.provenance else None,
        sender=event.require_text("sender"),
        recipient=event.require_text("recipient"),
        token=event.require_text("tokenAddress"),
        rate=event.require_number("ratePerSecond"),
        deposited=event.require_number("depositedAmount"),
        start_time=start,
        last_update_time=start,
        metadata=metadata if isinstance(metadata, Mapping) else {},
        version=version,
        created_at=event.timestamp,
        updated_at=event.timestamp,
    )


def _topped_up(stream: Stream, event: Event) -> Stream:
    return replace(stream, deposited=event.require_number("newDepositedAmount"))


def _withdrawn(stream: Stream, event: Event) -> Stream:
    total = stream.withdrawn + event.require_number("amount")
    return replace(stream, withdrawn=total, last_update_time=event.require_number("timestamp"))


def _paused(stream: Stream, event: Event) -> Stream:
    return replace(stream, status=StreamStatus.PAUSED, paused_at=event.require_number("pausedAt"))


def _resumed(stream: Stream, event: Event) -> Stream:
    if stream.terminal:  # a resume after pause and cancel: the stream stays cancelled
        return replace(stream, paused_at=None)
    return unpaused(stream, event.timestamp)


def unpaused(stream: Stream, now: int) -> Stream:
    """The stream, active again from `now`. The anchor moves forward by the seconds of the pause."""
    if stream.paused_at is None:
        return stream
    anchor = min(U64_MAX, stream.last_update_time + max(0, now - stream.paused_at))
    return replace(stream, status=StreamStatus.ACTIVE, paused_at=None, last_update_time=anchor)


def _completed(stream: Stream, event: Event) -> Stream:
    return replace(stream, status=StreamStatus.COMPLETED)


def _cancelled(stream: Stream, event: Event) -> Stream:
    return replace(
        stream,
        status=StreamStatus.CANCELLED,
        withdrawn=event.require_number("amountWithdrawn"),
        refunded=event.require_number("refundedAmount"),
        last_update_time=event.timestamp,
    )


def _updated(stream: Stream, event: Event) -> Stream:
    metadata = event.facts.get("metadata")
    return replace(stream, metadata=metadata if isinstance(metadata, Mapping) else {})


def _notice_sent(stream: Stream, event: Event) -> Stream:
    return replace(stream, notices_sent=min(stream.notices_sent + 1, len(NOTICE_THRESHOLDS)))


def _transferred(stream: Stream, event: Event) -> Stream:
    """Set the new recipient. If the old recipient was paid out, the anchor moves to this event."""
    settled = event.number("settledAmount") or 0
    return replace(
        stream,
        recipient=event.require_text("newRecipient"),
        withdrawn=stream.withdrawn + settled,
        last_update_time=event.timestamp if settled else stream.last_update_time,
    )


def _rate_modified(stream: Stream, event: Event) -> Stream:
    """Set the new rate, and compute the anchor from the end that the event announces.

    So the anchor is right if the contract paid out when the rate changed, and also if it did not.
    """
    changed = replace(stream, rate=event.require_number("newRatePerSecond"))
    end = event.number("newEndTime")
    if end is None or changed.rate <= 0:
        return changed
    anchor = end - -(-max(0, remaining(changed)) // changed.rate)
    # An end that the contract capped at 2^64-1 gives a negative anchor. Then the old anchor stays.
    return replace(changed, last_update_time=anchor) if anchor >= 0 else changed


_CHANGES: dict[EventType, Callable[[Stream, Event], Stream]] = {
    EventType.STREAM_TOPPED_UP: _topped_up,
    EventType.STREAM_WITHDRAWN: _withdrawn,
    EventType.STREAM_PAUSED: _paused,
    EventType.STREAM_RESUMED: _resumed,
    EventType.STREAM_COMPLETED: _completed,
    EventType.STREAM_CANCELLED: _cancelled,
    EventType.STREAM_UPDATED: _updated,
    EventType.STREAM_RECIPIENT_TRANSFERRED: _transferred,
    EventType.STREAM_RATE_MODIFIED: _rate_modified,
    EventType.STREAM_RUNNING_LOW: _notice_sent,
    EventType.STREAM_DEPLETED: _notice_sent,
}
_ALSO_WHEN_TERMINAL = frozenset({EventType.STREAM_RESUMED, EventType.STREAM_UPDATED})
