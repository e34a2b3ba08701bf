"""Commands: what happens to a stream when a party asks for it.

Pure: each takes the state and the time and decides on events, or refuses; nothing is changed here.
The rules are the stream contract's (docs/architecture.md, "Rules of a stream").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from shared.domain.errors import HeadraceError
from shared.domain.events import Event, EventType
from shared.domain.stream import (
    I128_MAX,
    NOTICE_THRESHOLDS,
    Stream,
    StreamStatus,
    apply,
    claimable,
    depletion_time,
    end_time,
    remaining,
    unpaused,
)


class CommandRefusedError(HeadraceError):
    """A command that the stream's rules do not allow now; the message says why."""


def create(
    *,
    stream_id: str,
    sender: str,
    recipient: str,
    token: str,
    rate: int,
    deposited: int,
    start_time: int,
    now: int,
    metadata: Mapping[str, object] | None = None,
) -> list[Event]:
    """A new stream; `deposited` is net of fees. Raises CommandRefusedError on a bad amount."""
    for name, amount in (("ratePerSecond", rate), ("depositedAmount", deposited)):
        if not 0 < amount <= I128_MAX:
            raise CommandRefusedError(f"{name} must be from 1 to {I128_MAX}, not {amount}")
    facts: dict[str, object] = {
        "sender": sender,
        "recipient": recipient,
        "tokenAddress": token,
        "ratePerSecond": str(rate),
        "depositedAmount": str(deposited),
        "startTime": start_time,
    }
    if metadata:
        facts["metadata"] = dict(metadata)
    return [Event(EventType.STREAM_CREATED, stream_id, now, facts)]


def top_up(stream: Stream, amount: int, now: int) -> list[Event]:
    """More money at the same rate; the anchor stays, so a drained stream vests retroactively."""
    _refuse_terminal(stream, "topped up")
    total = stream.deposited + amount
    if amount <= 0 or total > I128_MAX:
        raise CommandRefusedError(
            f"amount must be from 1 to {I128_MAX - stream.deposited}, not {amount}"
        )
    facts = {
        "sender": stream.sender,
        "amount": str(amount),
        "newDepositedAmount": str(total),
        "newEndTime": depletion_time(replace(stream, deposited=total)),
    }
    return [Event(EventType.STREAM_TOPPED_UP, stream.id, now, facts)]


def withdraw(stream: Stream, now: int) -> list[Event]:
    """All that is claimable goes to the recipient; the last of it also completes the stream."""
    _refuse_terminal(stream, "withdrawn from")
    if stream.paused_at is not None:
        raise CommandRefusedError(f"stream {stream.id} is paused: resume it before a withdrawal")
    amount = claimable(stream, now)
    if amount == 0:
        raise CommandRefusedError(f"stream {stream.id} has nothing to withdraw yet")
    facts = {"recipient": stream.recipient, "amount": str(amount), "timestamp": now}
    events = [Event(EventType.STREAM_WITHDRAWN, stream.id, now, facts)]
    if amount == remaining(stream):
        done = {"recipient": stream.recipient, "totalWithdrawn": str(stream.withdrawn + amount)}
        events.append(Event(EventType.STREAM_COMPLETED, stream.id, now, done))
    return events


def pause(stream: Stream, now: int) -> list[Event]:
    """Accrual stands still from `now`; the anchor stays."""
    _refuse_terminal(stream, "paused")
    if stream.paused_at is not None:
        raise CommandRefusedError(f"stream {stream.id} is paused already")
    facts = {"sender": stream.sender, "pausedAt": now}
    return [Event(EventType.STREAM_PAUSED, stream.id, now, facts)]


def resume(stream: Stream, now: int) -> list[Event]:
    """Accrual goes on; the pause does not count."""
    _refuse_terminal(stream, "resumed")
    if stream.paused_at is None:
        raise CommandRefusedError(f"stream {stream.id} is not paused")
    facts = {"sender": stream.sender, "newEndTime": depletion_time(unpaused(stream, now))}
    return [Event(EventType.STREAM_RESUMED, stream.id, now, facts)]


def cancel(stream: Stream, now: int) -> list[Event]:
    """Settles what has accrued to the recipient and refunds the rest; a single event."""
    _refuse_terminal(stream, "cancelled")
    total = stream.withdrawn + claimable(stream, now)
    facts = {
        "sender": stream.sender,
        "recipient": stream.recipient,
        "amountWithdrawn": str(total),
        "refundedAmount": str(stream.deposited - total),
    }
    return [Event(EventType.STREAM_CANCELLED, stream.id, now, facts)]


def update(stream: Stream, metadata: Mapping[str, object], now: int) -> list[Event]:
    """New metadata in place of the old; allowed on every stream, as no money moves."""
    return [Event(EventType.STREAM_UPDATED, stream.id, now, {"metadata": dict(metadata)})]


def next_notice(stream: Stream) -> int | None:
    """When the next of ENDINGS is to be told; None for a stream that does not run."""
    end = end_time(stream) if stream.status is StreamStatus.ACTIVE else None
    if end is None or stream.notices_sent >= len(NOTICE_THRESHOLDS):
        return None
    return end - NOTICE_THRESHOLDS[stream.notices_sent]


def due_notices(stream: Stream, now: int) -> list[Event]:
    """What is to be told by `now` about the stream's end, in order, each at its own moment.

    Nothing moves money here. A moment that passed unseen is told late rather than never.
    """
    events: list[Event] = []
    after: Stream | None = stream
    while after is not None and (due := next_notice(after)) is not None and due <= now:
        left = NOTICE_THRESHOLDS[after.notices_sent]
        facts: dict[str, object] = {"endsAt": due + left}
        kind = EventType.STREAM_RUNNING_LOW if left else EventType.STREAM_DEPLETED
        events.append(Event(kind, stream.id, due, facts | ({"secondsLeft": left} if left else {})))
        after = apply(after, events[-1])
    return events


def _refuse_terminal(stream: Stream, what: str) -> None:
    if stream.terminal:
        raise CommandRefusedError(f"stream {stream.id} is {stream.status} and cannot be {what}")
