"""Notices about the end of a stream: when each is due, and the effect of events on them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.domain import commands
from shared.domain.events import Event
from shared.domain.stream import NOTICE_THRESHOLDS, Stream, StreamStatus, end_time
from tests.shared.samples import TYPE, a_stream, after, fact

DAY = 86_400
lengths = st.integers(1, 10 * DAY)


def told(stream: Stream, now: int) -> list[str]:
    return [event.type for event in commands.due_notices(stream, now)]


@given(lengths)
def test_a_new_stream_gets_every_notice_whose_time_is_still_to_come(seconds: int) -> None:
    stream = a_stream(100, ratePerSecond="1", depositedAmount=str(seconds))
    wanted = [
        100 + seconds - before for before in NOTICE_THRESHOLDS if before == 0 or seconds > before
    ]
    events = commands.due_notices(stream, 100 + seconds)
    assert [event.timestamp for event in events] == wanted
    assert commands.due_notices(stream, wanted[0] - 1) == []
    assert commands.due_notices(after(stream, *events), 100 + 20 * DAY) == []


@given(lengths, st.lists(st.integers(0, 4 * DAY), max_size=8))
def test_many_small_checks_send_the_same_notices_as_one_late_check(
    seconds: int, steps: list[int]
) -> None:
    stream = whole = a_stream(100, ratePerSecond="1", depositedAmount=str(seconds))
    pieces: list[Event] = []
    now = 100
    for step in steps:
        now += step
        events = commands.due_notices(stream, now)
        stream, pieces = after(stream, *events), pieces + events
    assert pieces == commands.due_notices(whole, now)
    assert (end_time(stream), stream.deposited) == (end_time(whole), whole.deposited)


def test_a_stream_that_is_not_active_gets_no_notice() -> None:
    stream = a_stream()
    for other in (
        after(stream, *commands.pause(stream, 110)),
        after(stream, *commands.cancel(stream, 110)),
        after(stream, *commands.withdraw(stream, 1000)),
        replace(stream, rate=0),
        replace(stream, status=StreamStatus.PAUSED),
    ):
        assert told(other, 1 << 62) == []


def test_a_notice_changes_only_version_and_time_of_a_cancelled_stream() -> None:
    gone = after(a_stream(), *commands.cancel(a_stream(), 110))
    late = after(gone, fact(TYPE.STREAM_DEPLETED, 300, endsAt=300))
    assert late == replace(gone, version=gone.version + 1, updated_at=300)


def test_an_older_event_does_not_set_updated_at_back() -> None:
    labelled = after(a_stream(), *commands.update(a_stream(), {}, 500))
    assert after(labelled, *commands.due_notices(labelled, 400)).updated_at == 500
