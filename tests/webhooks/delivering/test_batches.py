"""A batch that was not acknowledged comes again as it was: receivers may keep `webhook-id`s."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from services.webhooks.delivering.window import DeliveryWindow, Taken
from shared.domain.position import START
from shared.journal.wire import JournalEntry
from shared.webhooks.progress import Progress
from tests.webhooks.delivering.samples import at, entry, numbers, took


def test_events_that_came_in_the_meantime_follow_in_the_next_batch() -> None:
    window = DeliveryWindow(START, ())
    for number in (1, 2):
        window.add(entry(number))
    first = took(window, 10)
    window.add(entry(3))
    window.free(first)
    assert window.take(10) == first
    window.acknowledge(first)
    window.free(first)
    assert numbers(took(window, 10)) == [3]


def test_nothing_is_taken_until_all_events_of_a_batch_were_read() -> None:
    window = DeliveryWindow(START, (), batches=[(at(1), at(2))])
    window.add(entry(1))
    assert window.lacks_batch
    assert window.take(10) is None
    window.add(entry(2))
    window.add(entry(3))
    assert numbers(took(window, 10)) == [1, 2]


def test_a_batch_that_the_journal_has_no_more_is_forgotten() -> None:
    window = DeliveryWindow(START, (), batches=[(at(1), at(9))])
    window.add(entry(1))
    window.forget_missing()
    assert numbers(took(window, 10)) == [1]
    assert window.batches == ((at(1),),)


def test_a_batch_between_whose_events_another_one_came_does_not_break_the_order() -> None:
    window = DeliveryWindow(START, (), batches=[(at(1), at(3))])
    for number in (1, 2, 3):
        window.add(entry(number))
    assert numbers(took(window, 2)) == [1, 2]


def test_a_batch_of_streams_that_wait_leaves_the_others_free() -> None:
    window = DeliveryWindow(START, (), by_stream=True)
    for number, topic in enumerate(("1", "2", "1"), 1):
        window.add(entry(number, topic))
    first = took(window, 2)
    window.hold(first, 5.0)
    window.free(first)
    window.add(entry(4, "3"))
    assert numbers(took(window, 2, 1.0)) == [4], "not event 3, although its batch does not have it"
    assert numbers(took(window, 2, 5.0)) == [1, 2]


@dataclass
class KeepingReceiver:
    """It ignores a delivery whose `webhook-id` it has, as the specification advises."""

    ids: set[str] = field(default_factory=set)
    events: list[JournalEntry] = field(default_factory=list)

    def take(self, taken: Taken) -> None:
        own = taken.entries[-1].position
        if own not in self.ids:
            self.ids.add(own)
            self.events += taken.entries


@dataclass
class Dispatchers:
    """One dispatcher after the other. Each goes on from the progress that the one before stored."""

    by_stream: bool
    most: int
    read: list[JournalEntry] = field(default_factory=list)
    progress: Progress = field(default_factory=lambda: Progress(1, START))

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """A new process."""
        known, self.under_way = self.progress, list[Taken]()
        self.window = DeliveryWindow(
            known.position, known.acknowledged, by_stream=self.by_stream, batches=known.batches
        )
        for each in self.read:
            self.window.add(each)

    def store(self) -> None:
        window = self.window
        self.progress = Progress(1, window.position, window.acknowledged, batches=window.batches)

    def take(self, receiver: KeepingReceiver, *, reaches: bool) -> None:
        if taken := self.window.take(self.most):
            self.store()  # before it is sent
            self.under_way.append(taken)
            if reaches:
                receiver.take(taken)

    def end(self, taken: Taken, receiver: KeepingReceiver, *, acknowledged: bool) -> None:
        self.under_way.remove(taken)
        if acknowledged:
            receiver.take(taken)
            self.window.acknowledge(taken)
        self.store()
        self.window.free(taken)


@given(
    topics=st.lists(st.sampled_from(("1", "2", "3", "user:G")), max_size=30),
    most=st.integers(2, 5),
    by_stream=st.booleans(),
    choices=st.randoms(use_true_random=False),
)
def test_a_receiver_that_keeps_webhook_ids_has_each_event_exactly_once(
    topics: list[str], most: int, by_stream: bool, choices: random.Random
) -> None:
    dispatchers, receiver = Dispatchers(by_stream, most), KeepingReceiver()
    journal = [entry(number, topic) for number, topic in enumerate(topics, 1)]
    waiting = list(journal)
    for _ in range(1_000):
        if waiting and choices.random() < 0.5:
            dispatchers.read.append(waiting.pop(0))
            dispatchers.window.add(dispatchers.read[-1])
        if choices.random() < 0.6:
            dispatchers.take(receiver, reaches=choices.random() < 0.7)
        if dispatchers.under_way and choices.random() < 0.6:
            ended = choices.choice(dispatchers.under_way)
            dispatchers.end(ended, receiver, acknowledged=choices.random() < 0.6)
        if choices.random() < 0.1:
            dispatchers.begin()
        if not waiting and len(receiver.events) >= len(journal) and not dispatchers.window:
            break
    assert sorted(receiver.events, key=journal.index) == journal
    for topic in set(topics) if by_stream else ("",):
        own = [each for each in receiver.events if topic in ("", *each.topics)]
        assert own == sorted(own, key=journal.index)
