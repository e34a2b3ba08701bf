"""Commands: what a party may do with a stream, and which events each command causes.

Pure: each function takes the state of a stream and the time in Unix seconds. It returns the events,
or raises CommandRefusedError. It changes nothing. The rules are those of the stream contract
(docs/architecture.md, "Rules of a stream").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from shared.domain.errors import HeadraceError
from shared.domain.events import Event, EventType
from shared.domain.stream import (
    I128_MAX,
    NOTICE_THRESHOLDS,
    U64_MAX,
    Acceptance,
    Stream,
    StreamStatus,
    announced_end,
    claimable,
    end_time,
    remaining,
)
from shared.domain.transitions import apply, unpaused


class CommandRefusedError(HeadraceError):
    """The rules of the stream do not allow this command now. The message gives the reason."""


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
    ask: bool = False,
) -> list[Event]:
    """Create a stream. `deposited` is net of fees. Amounts are in base units of the token.

    `ask`: the recipient is asked first, so the stream is pending until its recipient accepts it.
    """
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
    if ask and sender != recipient:
        facts["acceptance"] = Acceptance.PENDING
    return [Event(EventType.STREAM_CREATED, stream_id, now, facts)]


def top_up(stream: Stream, amount: int, now: int) -> list[Event]:
    """Add money at the same rate. The anchor does not move.

    So if the stream had run dry, the new money also pays for the time since it ran dry.
    """
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
        "newEndTime": _new_end(replace(stream, deposited=total), now),
    }
    return [Event(EventType.STREAM_TOPPED_UP, stream.id, now, facts)]


def withdraw(stream: Stream, now: int) -> list[Event]:
    """Pay all that is claimable to the recipient. The last payment also completes the stream."""
    _refuse_terminal(stream, "withdrawn from")
    if stream.paused_at is not None:
        raise CommandRefusedError(f"stream {stream.id} is paused; resume it before a withdrawal")
    amount = _due(stream, now)
    if amount == 0:
        raise CommandRefusedError(f"stream {stream.id} has nothing to withdraw yet")
    facts = {"recipient": stream.recipient, "amount": str(amount), "timestamp": now}
    events = [Event(EventType.STREAM_WITHDRAWN, stream.id, now, facts)]
    if amount == remaining(stream):
        done = {"recipient": stream.recipient, "totalWithdrawn": str(stream.withdrawn + amount)}
        events.append(Event(EventType.STREAM_COMPLETED, stream.id, now, done))
    return events


def pause(stream: Stream, now: int) -> list[Event]:
    """Stop accrual at `now`."""
    _refuse_terminal(stream, "paused")
    if stream.paused_at is not None:
        raise CommandRefusedError(f"stream {stream.id} is already paused")
    facts = {"sender": stream.sender, "pausedAt": now}
    return [Event(EventType.STREAM_PAUSED, stream.id, now, facts)]


def resume(stream: Stream, now: int) -> list[Event]:
    """Continue accrual at `now`. Nothing accrues for the time of the pause."""
    _refuse_terminal(stream, "resumed")
    if stream.paused_at is None:
        raise CommandRefusedError(f"stream {stream.id} is not paused")
    facts = {"sender": stream.sender, "newEndTime": _new_end(unpaused(stream, now), now)}
    return [Event(EventType.STREAM_RESUMED, stream.id, now, facts)]


def cancel(stream: Stream, now: int) -> list[Event]:
    """Pay what has accrued to the recipient and refund the rest to the sender, in one event."""
    _refuse_terminal(stream, "cancelled")
    total = stream.withdrawn + _due(stream, now)
    facts = {
        "sender": stream.sender,
        "recipient": stream.recipient,
        "amountWithdrawn": str(total),
        "refundedAmount": str(stream.deposited - total),
    }
    return [Event(EventType.STREAM_CANCELLED, stream.id, now, facts)]


def update(stream: Stream, metadata: Mapping[str, object], now: int) -> list[Event]:
    """Replace the metadata. This is allowed in every status, because no money moves."""
    return [Event(EventType.STREAM_UPDATED, stream.id, now, {"metadata": dict(metadata)})]


def accept(stream: Stream, now: int) -> list[Event]:
    """Accept a stream as its recipient, in every status. No event if it is accepted already."""
    return _answer(stream, Acceptance.ACCEPTED, EventType.STREAM_ACCEPTED, now)


def hide(stream: Stream, now: int) -> list[Event]:
    """Hide a stream as its recipient, in every status. No event if it is hidden already."""
    if stream.sender == stream.recipient:
        raise CommandRefusedError(f"stream {stream.id} goes to its own sender; it cannot be hidden")
    return _answer(stream, Acceptance.HIDDEN, EventType.STREAM_HIDDEN, now)


def _answer(stream: Stream, wanted: Acceptance, kind: EventType, now: int) -> list[Event]:
    return [] if stream.acceptance is wanted else [Event(kind, stream.id, now, {})]


def next_notice(stream: Stream) -> int | None:
    """When the next notice is due, in Unix seconds.

    None when the stream is not active, or when all its notices were sent.
    """
    end = end_time(stream) if stream.status is StreamStatus.ACTIVE else None
    if end is None or stream.notices_sent >= len(NOTICE_THRESHOLDS):
        return None
    return end - NOTICE_THRESHOLDS[stream.notices_sent]


def due_notices(stream: Stream, now: int) -> list[Event]:
    """The notices about the end of a stream that are due by `now`, oldest first.

    The timestamp of each event is the time at which the notice was due, even when it is sent late.
    No money moves.
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


def _due(stream: Stream, now: int) -> int:
    amount = claimable(stream, now)
    if amount is None:
        raise CommandRefusedError(
            f"the claimable amount of stream {stream.id} is unknown: {stream.claimable_unknown}"
        )
    return amount


def _new_end(stream: Stream, now: int) -> int:
    """The `newEndTime` that the event announces.

    Times of the contract are u64. If the new end does not fit, the contract refuses the call, and
    so does the API. The event of a creation has no end, so both accept a creation.
    """
    end = announced_end(stream, now)
    if end > U64_MAX:
        raise CommandRefusedError(
            f"the stream would end at second {end}, after the last possible time {U64_MAX}"
        )
    return end


def _refuse_terminal(stream: Stream, what: str) -> None:
    if stream.terminal:
        raise CommandRefusedError(f"stream {stream.id} is {stream.status} and cannot be {what}")
