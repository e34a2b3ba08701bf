"""The effect of each event on a stream.

Pure. `apply` returns the state after any event, whether the event comes from
`shared.domain.commands` or from the chain. So both kinds of streams follow the same rules
(docs/architecture.md, "Rules of a stream").

See docs/decisions/0018-notices-from-a-schedule.md,
docs/decisions/0073-recipients-accept-streams.md,
docs/decisions/0083-state-is-read-and-audited.md,
docs/decisions/0089-after-a-gap-amounts-are-unknown.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from shared.domain.events import Event, EventType, Origin
from shared.domain.schedule import Schedule, ScheduleKind, schedule_of
from shared.domain.snapshot import from_snapshot
from shared.domain.stream import (
    NOTICE_THRESHOLDS,
    TERMINAL,
    U64_MAX,
    Acceptance,
    Stream,
    StreamStatus,
    end_time,
)

Changes: TypeAlias = dict[str, Any]
"""New values of a stream's fields, by name. A copy of the stream is made only once, with all."""


def apply(stream: Stream | None, event: Event) -> Stream | None:
    """The state after `event`, with a version one higher.

    None if the stream is not known, because it was created before the indexer started. Raises
    ValueError when the event lacks a field that the state needs.
    """
    if event.type is EventType.STREAM_SNAPSHOT:
        return _snapshot(stream, event)
    is_known = stream is not None and _is_in_snapshot(stream, event)
    if event.type is EventType.STREAM_CREATED and not is_known:
        return _reset_notices(_created(event, 1 if stream is None else stream.version + 1))
    if stream is None:
        return None
    # A chain event can be older than an API update that was applied before it; keep the later time.
    latest = max(stream.updated_at, event.timestamp)
    changes: Changes = {"version": stream.version + 1, "updated_at": latest, "position": ""}
    if event.provenance is not None and not is_known:
        changes["archived"] = False  # a transaction has just used the record
    change = _CHANGES.get(event.type)
    if change is None or is_known:
        return replace(stream, **changes)
    if not stream.terminal or event.type in _ALSO_WHEN_TERMINAL:
        changes |= change(stream, event)
        if changes.get("status", stream.status) in TERMINAL:
            changes["uncertain"] = False
    changed = replace(stream, **changes)
    return changed if _has_same_end(stream, changed) else _reset_notices(changed)


def _snapshot(before: Stream | None, event: Event) -> Stream:
    """The state that was read. A notice that was sent, or that is old by now, is not sent."""
    read = from_snapshot(before, event)
    if before is None:
        return replace(read, notices_sent=_notices_done(read, NOTICE_THRESHOLDS))
    if _has_same_end(replace(before, uncertain=False), read):
        return replace(read, notices_sent=before.notices_sent)
    return _reset_notices(read)


def _has_same_end(before: Stream, after: Stream) -> bool:
    """True if no notice changes. While a stream is uncertain, its end is unknown: it gets none."""
    if after.uncertain:
        return True
    return (before.status, end_time(before)) == (after.status, end_time(after))


def _is_in_snapshot(stream: Stream, event: Event) -> bool:
    """True if the stream's state was read from the contract and includes the event's effect."""
    return event.provenance is not None and event.provenance.ledger <= stream.state_ledger


def _reset_notices(stream: Stream) -> Stream:
    """Skip notices that were already due when the end changed, except `depleted`."""
    done = _notices_done(stream, NOTICE_THRESHOLDS[:-1])
    return stream if done == stream.notices_sent else replace(stream, notices_sent=done)


def _notices_done(stream: Stream, thresholds: Sequence[int]) -> int:
    """How many of these thresholds had passed when the stream was updated."""
    end = end_time(stream) if stream.status is StreamStatus.ACTIVE else None
    left = (U64_MAX if end is None else end) - stream.updated_at
    return sum(left <= before for before in thresholds)


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
        schedule=schedule_of(event.facts.get("schedule")),
        acceptance=_first_acceptance(event),
        metadata=metadata if isinstance(metadata, Mapping) else {},
        version=version,
        created_at=event.timestamp,
        updated_at=event.timestamp,
    )


def _first_acceptance(event: Event) -> Acceptance:
    """Only the API asks the recipient. Events of earlier versions have no such field."""
    if event.origin is Origin.CHAIN:
        return Acceptance.ACCEPTED
    return Acceptance(event.text("acceptance") or Acceptance.ACCEPTED)


def _topped_up(stream: Stream, event: Event) -> Changes:
    return {"deposited": event.require_number("newDepositedAmount")}


def _withdrawn(stream: Stream, event: Event) -> Changes:
    """Move the anchor to the withdrawal. A withdrawal from an API stream also accepts it."""
    total = stream.withdrawn + event.require_number("amount")
    paid = {"withdrawn": total, "last_update_time": event.require_number("timestamp")}
    return paid if stream.origin is Origin.CHAIN else paid | _accepted(stream, event)


def _paused(stream: Stream, event: Event) -> Changes:
    return {"status": StreamStatus.PAUSED, "paused_at": event.require_number("pausedAt")}


def _resumed(stream: Stream, event: Event) -> Changes:
    if stream.terminal:  # a resume after pause and cancel: the stream stays cancelled
        return {"paused_at": None}
    return _unpaused(stream, event.timestamp)


def unpaused(stream: Stream, now: int) -> Stream:
    """The stream, active again from `now`. The anchor moves forward by the seconds of the pause."""
    return replace(stream, **_unpaused(stream, now))


def _unpaused(stream: Stream, now: int) -> Changes:
    if stream.paused_at is None:
        return {}
    anchor = min(U64_MAX, stream.last_update_time + max(0, now - stream.paused_at))
    return {"status": StreamStatus.ACTIVE, "paused_at": None, "last_update_time": anchor}


def _completed(stream: Stream, event: Event) -> Changes:
    return {"status": StreamStatus.COMPLETED}


def _cancelled(stream: Stream, event: Event) -> Changes:
    return {
        "status": StreamStatus.CANCELLED,
        "withdrawn": event.require_number("amountWithdrawn"),
        "refunded": event.require_number("refundedAmount"),
        "last_update_time": event.timestamp,
    }


def _updated(stream: Stream, event: Event) -> Changes:
    metadata = event.facts.get("metadata")
    return {"metadata": metadata if isinstance(metadata, Mapping) else {}}


def _accepted(stream: Stream, event: Event) -> Changes:
    return {"acceptance": Acceptance.ACCEPTED}


def _hidden(stream: Stream, event: Event) -> Changes:
    return {"acceptance": Acceptance.HIDDEN}


def _notice_sent(stream: Stream, event: Event) -> Changes:
    return {"notices_sent": min(stream.notices_sent + 1, len(NOTICE_THRESHOLDS))}


def _transferred(stream: Stream, event: Event) -> Changes:
    """Pay the old recipient and set the new one. The anchor moves to this event, also by nothing.

    The contract moves the anchor even if nothing was paid, and even if the stream is paused.
    Only the chain transfers streams. So the stream is accepted, even if the old recipient hid it.
    """
    return {
        "recipient": event.require_text("newRecipient"),
        "acceptance": Acceptance.ACCEPTED,
        "withdrawn": stream.withdrawn + (event.number("settledAmount") or 0),
        "last_update_time": event.timestamp,
    }


def _rate_modified(stream: Stream, event: Event) -> Changes:
    """Set the new rate from this event on. Money that had accrued is no longer claimable.

    When the rate changes, the contract pays nothing. It only moves the anchor.
    """
    return {"rate": event.require_number("newRatePerSecond"), "last_update_time": event.timestamp}


def _milestone_unlocked(stream: Stream, event: Event) -> Changes:
    """The stream pays by conditions. Its events do not say which conditions are left."""
    return {"schedule": Schedule(kind=ScheduleKind.CONDITIONS)}


def _uncertain(stream: Stream, event: Event) -> Changes:
    """Only a snapshot of the contract's record makes the state certain again."""
    return {"uncertain": True}


_CHANGES: Mapping[EventType, Callable[[Stream, Event], Changes]] = {
    EventType.STREAM_TOPPED_UP: _topped_up,
    EventType.STREAM_WITHDRAWN: _withdrawn,
    EventType.STREAM_PAUSED: _paused,
    EventType.STREAM_RESUMED: _resumed,
    EventType.STREAM_COMPLETED: _completed,
    EventType.STREAM_CANCELLED: _cancelled,
    EventType.STREAM_UPDATED: _updated,
    EventType.STREAM_ACCEPTED: _accepted,
    EventType.STREAM_HIDDEN: _hidden,
    EventType.STREAM_RECIPIENT_TRANSFERRED: _transferred,
    EventType.STREAM_RATE_MODIFIED: _rate_modified,
    EventType.STREAM_MILESTONE_UNLOCKED: _milestone_unlocked,
    EventType.STREAM_UNCERTAIN: _uncertain,
    EventType.CHAIN_UNKNOWN: _uncertain,
    EventType.STREAM_RUNNING_LOW: _notice_sent,
    EventType.STREAM_DEPLETED: _notice_sent,
}
_ALSO_WHEN_TERMINAL = frozenset(
    {
        EventType.STREAM_RESUMED,
        EventType.STREAM_UPDATED,
        EventType.STREAM_ACCEPTED,
        EventType.STREAM_HIDDEN,
    }
)
