"""Recent events, compared with a plain list: an answer is complete, or there is none."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.fanout.feed.recent import RecentEvents
from services.fanout.sse import event_frame
from shared.domain.position import START, Position
from shared.journal.wire import JournalEntry
from tests.support.tier import examples

TOPICS = ["1", "2", "user:GA", "user:GB"]


def entry(n: int, topics: tuple[str, ...] = ("1",), size: int = 10) -> JournalEntry:
    return JournalEntry(f"{n}-0", f"{n - 1}-0", "stream.created", topics, b"x" * size)


def toids(recent: RecentEvents, after: Position, topics: list[str]) -> list[int]:
    """The TOIDs of the events for these topics after a position."""
    items = recent.after(after, topics, 1000)
    assert items is not None
    return [item.position.toid for item in items]


class PlainList:
    """A plain list with the limits that RecentEvents has."""

    def __init__(self, floor: int, events: int, size: int) -> None:
        self.limits = (events, size)
        self.floor = self.top = floor
        self.kept: list[tuple[int, JournalEntry]] = []

    def append(self, n: int, item: JournalEntry) -> None:
        self.kept.append((n, item))
        self.top = n
        events, size = self.limits
        while len(self.kept) > events or (self.bytes > size and len(self.kept) > 1):
            self.floor = self.kept.pop(0)[0]

    @property
    def bytes(self) -> int:
        return sum(len(event_frame(item)) for _, item in self.kept)

    def truncate(self, n: int) -> list[str]:
        gone = [item.position for at, item in self.kept if at > n]
        self.kept = [(at, item) for at, item in self.kept if at <= n]
        self.top, self.floor = n, min(self.floor, n)
        return gone

    def after(self, n: int, topics: list[str]) -> list[str] | None:
        if not self.floor <= n <= self.top:
            return None
        return [
            item.position
            for at, item in self.kept
            if at > n and (not item.topics or "*" in topics or set(item.topics) & set(topics))
        ]


STEPS = st.one_of(
    st.tuples(
        st.just("append"), st.lists(st.sampled_from(TOPICS), unique=True), st.integers(0, 300)
    ),
    st.tuples(st.just("cut"), st.integers(0, 6), st.none()),
)


@settings(max_examples=examples(150), deadline=None)
@given(
    steps=st.lists(STEPS, max_size=60),
    events=st.integers(1, 12),
    size=st.integers(100, 3000),
    wanted=st.lists(st.sampled_from([*TOPICS, "*"]), min_size=1, unique=True),
)
def test_recent_events_answer_like_a_plain_list(
    steps: list[Any], events: int, size: int, wanted: list[str]
) -> None:
    recent, plain = (
        RecentEvents(Position(1000, 0), events=events, size=size),
        PlainList(1000, events, size),
    )
    number = 1000
    for step, what, amount in steps:
        if step == "append":
            number = plain.top + 1
            item = entry(number, tuple(what), amount)
            recent.append(item)
            plain.append(number, item)
        else:
            number = plain.top - what
            taken = [each.position for each in recent.truncate(Position(number, 0))]
            assert sorted(taken) == sorted(plain.truncate(number))
        assert (recent.floor.toid, recent.top.toid) == (plain.floor, plain.top)
        assert len(recent) == len(plain.kept)
        assert recent._bytes == plain.bytes
        assert set(recent._newest) == {t for _, item in plain.kept for t in item.topics or ("",)}
    for position in range(plain.floor - 2, plain.top + 3):
        place, expected = Position(position, 0), plain.after(position, wanted)
        assert recent.covers(place) is (expected is not None)
        if expected is not None:
            for most in (len(expected), len(expected) + 1, 1000):
                found = recent.after(place, wanted, most)
                assert [i.entry.position for i in found or ()] == expected
            if expected:
                assert recent.after(place, wanted, len(expected) - 1) is None
            after = [item.position for at, item in plain.kept if at > position]
            for count in (1, 3, 100):
                items = recent.next_after(place, count)
                assert [i.entry.position for i in items] == after[:count]
        assert (f"{position}-0" in recent) is (position in {at for at, _ in plain.kept})


def test_recent_events_stay_small_while_ten_thousand_pass_through() -> None:
    recent = RecentEvents(START, events=100, size=1 << 20)
    for n in range(1, 10_001):
        recent.append(entry(n, (str(n), "user:GA")))
        # dropped items are removed from the list in batches
        assert len(recent._items) <= 1124 + 100
    assert len(recent) == len(recent._known) == 100
    assert len(recent._newest) == 101
    assert recent.floor == Position(9_900, 0)
    assert toids(recent, Position(9_990, 0), ["user:GA"]) == [*range(9991, 10_001)]
    assert toids(recent, recent.floor, ["9950"]) == [9950]


def test_an_event_larger_than_the_limit_is_kept_alone() -> None:
    recent = RecentEvents(START, events=100, size=100)
    recent.append(entry(1))
    recent.append(entry(2, size=5000))
    assert len(recent) == 1
    assert toids(recent, Position(1, 0), ["*"]) == [2]
    assert not recent.covers(START)


def test_a_position_between_two_events_is_covered() -> None:
    recent = RecentEvents(START, events=9, size=1 << 20)
    for n in (1, 2, 3):
        recent.append(entry(n))
    assert toids(recent, Position(1, 500), ["1"]) == [2, 3]


def test_empty_recent_events_cover_only_their_own_position() -> None:
    recent = RecentEvents(Position(5, 0), events=9, size=1 << 20)
    assert recent.after(Position(5, 0), ["1"], 9) == []
    assert [recent.covers(Position(n, 0)) for n in (4, 5, 6)] == [False, True, False]


def test_the_next_event_names_the_newest_one_in_any_spelling() -> None:
    recent = RecentEvents(Position(6, 0), events=9, size=1 << 20)
    recent.append(entry(7))
    following = entry(8)
    for previous, is_next in (("7-0", True), ("007-000", True), ("6-0", False), ("8-0", False)):
        assert recent.is_next(following._replace(previous=previous)) is is_next
    recent.truncate(Position(6, 0))
    assert recent.is_next(following._replace(previous="6-0"))
