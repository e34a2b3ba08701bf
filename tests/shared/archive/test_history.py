"""Journal and archive as one history: for every way to cut them, each event once, honest gaps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from shared.archive.history import JoinedHistory
from shared.domain.position import START, Position, parse_position
from shared.journal.reader import JournalGap, JournalPage, NoNewEvents, Page
from shared.journal.wire import JournalEntry

EVENTS = 12


@dataclass(frozen=True)
class Part:
    """The events number `low + 1` to `high`. Those with even numbers have the topic "even".

    `began` says that there was never an event before.
    """

    low: int
    high: int
    began: bool

    async def after(self, position: Position, limit: int) -> Page:
        """All events."""
        return self._page(position, self.high, limit, 1)

    async def of_topics(
        self, _: Sequence[str], position: Position, until: Position, n: int
    ) -> Page:
        """The even events."""
        return self._page(position, min(self.high, until.toid), n, 2)

    def _page(self, position: Position, high: int, limit: int, step: int) -> Page:
        if position.toid < self.low and not (position == START and self.began):
            return JournalGap(at(self.low))
        first = max(position.toid, self.low) + 1
        if first > high:
            return NoNewEvents()
        numbers = [n for n in range(first, high + 1) if n % step == 0]
        end = high if len(numbers) <= limit else numbers[limit - 1]
        return JournalPage([entry(n) for n in numbers[:limit]], True, at(end))


def at(number: int) -> Position:
    return Position(number, 0)


def entry(n: int) -> JournalEntry:
    return JournalEntry(str(at(n)), str(at(n - 1)), "x", ("even",) if n % 2 == 0 else (), b"{}")


async def read(
    history: JoinedHistory, position: Position, limit: int, *, even: bool
) -> tuple[list[int], list[tuple[int, int]]]:
    """The numbers of all events after a position, and the gaps."""
    numbers, gaps = list[int](), list[tuple[int, int]]()
    for _ in range(5 * EVENTS):
        if even:
            page = await history.of_topics(["even"], position, at(EVENTS), limit)
        else:
            page = await history.after(position, limit)
        match page:
            case NoNewEvents():
                return numbers, gaps
            case JournalGap(end):
                gaps.append((position.toid, end.toid))
            case JournalPage(entries, _, end):
                numbers += [parse_position(e.position).toid for e in entries]
        assert end > position
        position = end
    raise AssertionError("the history has no end")


@given(
    cut=st.integers(0, EVENTS),
    archived=st.tuples(st.integers(1, EVENTS), st.integers(1, EVENTS)).map(sorted),
    since=st.integers(0, EVENTS),
    limit=st.integers(1, 5),
    even=st.booleans(),
)
def test_the_two_parts_give_each_event_once(
    cut: int, archived: list[int], since: int, limit: int, even: bool
) -> None:
    journal, archive = Part(cut, EVENTS, cut == 0), Part(archived[0], archived[1], False)

    async def start() -> Position:
        return at(cut)

    async def freshen(_: Position) -> None:
        return

    history = JoinedHistory(journal, archive, journal_start=start, freshen=freshen)
    found, gaps = asyncio.run(read(history, at(since), limit, even=even))
    there = {*range(cut + 1, EVENTS + 1), *range(archived[0] + 1, archived[1] + 1)}
    wanted = range(since + 1, EVENTS + 1)
    assert found == [n for n in wanted if n in there and not (even and n % 2)]
    missing = {n for low, high in gaps for n in range(low + 1, high + 1)}
    assert missing == {n for n in wanted if n not in there}


async def test_a_journal_that_was_restored_and_began_again_has_no_gap_at_its_start() -> None:
    journal, archive = Part(2, EVENTS, began=False), Part(2, 5, began=True)

    async def start() -> Position:
        return at(2)

    async def freshen(_: Position) -> None:
        return

    history = JoinedHistory(journal, archive, journal_start=start, freshen=freshen)
    assert await read(history, START, 3, even=False) == ([*range(3, EVENTS + 1)], [])
