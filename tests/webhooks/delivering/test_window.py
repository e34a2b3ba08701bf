"""The window of an endpoint: any order of answers gives each event once, and keeps the order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.webhooks.delivering.window import (
    BATCH_BYTES,
    WINDOW_EVENTS,
    DeliveryWindow,
    Taken,
)
from shared.domain.position import START, parse_position
from shared.journal.wire import JournalEntry
from tests.webhooks.delivering.samples import at, entry, numbers, took

TOPICS = ("1", "2", "3", "user:G", "")


def filled(count: int, *, by_stream: bool = False, topic: str = "1") -> DeliveryWindow:
    window = DeliveryWindow(START, (), by_stream=by_stream)
    for number in range(1, count + 1):
        window.add(entry(number, topic))
    return window


def test_one_sequence_waits_for_each_answer() -> None:
    window = filled(3)
    first = took(window)
    assert window.take(1) is None
    window.acknowledge(first)
    assert window.position == at(1)
    assert window.take(1) is None, "its progress is not stored yet"
    window.free(first)
    assert numbers(took(window)) == [2]


def test_a_delivery_that_failed_comes_again() -> None:
    window = filled(2)
    taken = took(window)
    window.hold(taken, 5.0)
    window.free(taken)
    assert took(window) == taken
    assert window.position == START


def test_with_the_order_of_each_stream_another_stream_comes_first_after_a_failure() -> None:
    window = DeliveryWindow(START, (), by_stream=True)
    for number, topic in enumerate(("1", "1", "2"), 1):
        window.add(entry(number, topic))
    refused = took(window, now=1.0)
    window.hold(refused, 5.0)
    window.free(refused)
    other = took(window, now=1.0)
    assert numbers(other) == [3]
    window.acknowledge(other)
    window.free(other)
    assert window.take(1, 4.9) is None
    assert window.opens_at(4.9) == 5.0
    assert (window.position, window.acknowledged) == (START, (at(3),))
    assert numbers(took(window, now=5.0)) == [1]


def test_events_that_were_acknowledged_before_a_loss_are_only_passed() -> None:
    window = DeliveryWindow(at(1), (at(2), at(4), at(9)))
    for number in range(2, 6):
        window.add(entry(number))
    assert window.acknowledged == (at(4), at(9))
    assert window.position == at(2)
    for expected in (3, 5):
        taken = took(window)
        assert numbers(taken) == [expected]
        window.acknowledge(taken)
        window.free(taken)
    assert window.position == at(5)
    assert list(window.acknowledged) == [at(9)]
    window.passed(at(9))
    assert len(window.acknowledged) == 0


def test_an_event_that_was_added_is_not_added_again() -> None:
    window = filled(2)
    window.add(entry(1))
    window.add(entry(2))
    assert len(window) == 2


def test_a_batch_is_bounded_in_events_and_bytes() -> None:
    window = DeliveryWindow(START, ())
    large = b"x" * (BATCH_BYTES // 2)
    for number in range(1, 6):
        window.add(entry(number, body=large if number < 4 else b"{}"))
    first = took(window, 10)
    assert numbers(first) == [1, 2]
    window.acknowledge(first)
    window.free(first)
    assert numbers(took(window, 2)) == [3, 4]


def test_one_event_may_be_larger_than_a_batch() -> None:
    window = DeliveryWindow(START, ())
    window.add(entry(1, body=b"x" * (2 * BATCH_BYTES)))
    assert numbers(took(window, 10)) == [1]


def test_there_is_room_until_the_window_is_full() -> None:
    window = filled(WINDOW_EVENTS)
    assert window.room == 0
    taken = took(window, WINDOW_EVENTS)
    window.acknowledge(taken)
    assert window.room == WINDOW_EVENTS


@given(
    topics=st.lists(st.sampled_from(TOPICS), max_size=40),
    batch=st.integers(1, 4),
    by_stream=st.booleans(),
    choices=st.randoms(use_true_random=False),
)
def test_whatever_is_answered_each_event_is_taken_once_and_in_order(
    topics: list[str], batch: int, by_stream: bool, choices: st.DataObject
) -> None:
    window = DeliveryWindow(START, (), by_stream=by_stream)
    waiting = [entry(number, topic) for number, topic in enumerate(topics, 1)]
    under_way: list[Taken] = []
    done: list[JournalEntry] = []
    low = START
    for _ in range(1_000):
        if len(done) == len(topics):
            break
        if waiting and choices.random() < 0.5:  # type: ignore[attr-defined]
            window.add(waiting.pop(0))
        if choices.random() < 0.6 and (taken := window.take(batch)):  # type: ignore[attr-defined]
            under_way.append(taken)
        if under_way and choices.random() < 0.6:  # type: ignore[attr-defined]
            ended = under_way.pop(choices.randrange(len(under_way)))  # type: ignore[attr-defined]
            if choices.random() < 0.7:  # type: ignore[attr-defined]
                window.acknowledge(ended)
                done += ended.entries
            window.free(ended)
        assert low <= window.position
        low = window.position
        taken_ids = {parse_position(each.position) for each in done}
        open_ones = {at(n) for n in range(1, len(topics) + 1)} - taken_ids
        assert all(each > low for each in open_ones), "nothing that is open was passed"
        above = {each for each in taken_ids if each > low}
        assert set(window.acknowledged) == above, "a restart repeats nothing of these"
    assert len(done) == len({each.position for each in done}) == len(topics)
    for topic in TOPICS if by_stream else ("",):
        own = [e for e in done if not by_stream or (*e.topics, "")[0] == topic]
        places = [parse_position(each.position) for each in own]
        assert places == sorted(places)
