"""Reading by topics finds exactly what a scan of the journal finds, or a gap where it must."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from shared.domain.position import START, Position, parse_position
from shared.domain.topics import matches
from shared.journal.keys import Keys
from shared.journal.reader import Journal, JournalGap, JournalPage, NoNewEvents
from shared.journal.topic_reader import TopicReader
from shared.journal.wire import JournalEntry
from shared.redis.client import connect
from shared.runtime.metrics import LOST_ENTRY
from tests.support.redis_server import PATIENT
from tests.support.tier import examples

TOPICS = ["1", "2", "user:GA", "user:GB"]
SOME = st.lists(st.sampled_from(TOPICS), unique=True)
Gap = tuple[Position, Position]


def at(n: int) -> Position:
    return Position(n, 0)


class WrittenJournal:
    """A journal and its topic index, written without the commit, so that a test can damage them."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys
        self.topics: list[Sequence[str]] = []

    async def write(self, topics: Sequence[Sequence[str]]) -> None:
        """Add an event for each element: the event number 1, 2, … has these topics."""
        pipe = self.redis.pipeline(transaction=False)
        for each in topics:
            n = len(self.topics) + 1
            header = " ".join(("stream.created", *each))
            pipe.xadd(self.keys.journal, {"p": f"{n - 1}-0", "h": header, "b": "{}"}, id=f"{n}-0")
            for topic in each or [""]:
                pipe.zadd(self.keys.topic(topic), {at(n).padded: 0})
            self.topics.append(each)
        await pipe.execute()

    async def trim(self, count: int) -> None:
        """Remove the events up to number `count`, as a commit does."""
        pipe = self.redis.pipeline(transaction=False)
        for n, topics in enumerate(self.topics[:count], 1):
            pipe.xdel(self.keys.journal, f"{n}-0")
            for topic in topics or [""]:
                pipe.zrem(self.keys.topic(topic), at(n).padded)
        await pipe.execute()

    async def scan(self, wanted: Sequence[str], after: Position, until: Position) -> list[Position]:
        """What a scan of the whole journal finds."""
        rows: Any = await self.redis.xrange(self.keys.journal, f"({after}", str(until))
        found = [parse_position(position.decode()) for position, _ in rows]
        return [p for p in found if matches(wanted, self.topics[p.toid - 1])]

    async def replay(
        self, wanted: Sequence[str], after: Position, until: Position, limit: int
    ) -> tuple[list[Position], list[Gap]]:
        """What reading by topics finds, page by page."""
        reader = TopicReader(self.redis, self.keys, Journal(self.redis, self.keys))
        found: list[Position] = []
        gaps: list[Gap] = []
        while after < until:
            match await reader.after(wanted, after, until, limit):
                case NoNewEvents():
                    break
                case JournalGap(resumes_after):
                    assert resumes_after > after
                    gaps.append((after, resumes_after))
                    after = resumes_after
                case JournalPage(entries, _, end):
                    assert end > after
                    assert len(entries) <= limit
                    found += [parse_position(entry.position) for entry in entries]
                    after = end
        return found, gaps


@pytest.fixture
async def written(redis: Redis, keys: Keys) -> WrittenJournal:
    return WrittenJournal(redis, keys)


@settings(max_examples=examples(60))
@given(
    topics=st.lists(SOME, min_size=1, max_size=30),
    wanted=st.lists(st.sampled_from(TOPICS), min_size=1, unique=True),
    trimmed=st.integers(0, 20),
    holes=st.sets(st.integers(1, 30), max_size=6),
    where=st.tuples(st.integers(0, 30), st.integers(0, 30)),
    limit=st.integers(1, 8),
)
async def test_a_replay_by_topics_equals_a_scan(  # noqa: PLR0917 - hypothesis
    empty_redis_url: str,
    topics: list[list[str]],
    wanted: list[str],
    trimmed: int,
    holes: set[int],
    where: tuple[int, int],
    limit: int,
) -> None:
    redis = connect(empty_redis_url, timeout=PATIENT)
    try:
        journal = WrittenJournal(redis, Keys(f"test-{uuid.uuid4().hex[:12]}"))
        await journal.write(topics)
        trimmed = min(trimmed, len(topics) - 1)
        await journal.trim(trimmed)
        holes = {n for n in holes if trimmed + 1 < n < len(topics)}  # the two ends stay
        await redis.xdel(journal.keys.journal, "0-0", *(f"{n}-0" for n in holes))
        after, until = at(min(where)), at(max(where))
        found, gaps = await journal.replay(wanted, after, until, limit)
    finally:
        expected = await journal.scan(wanted, after, until)
        await redis.aclose()
    assert found == expected
    concern = {n for n in holes if matches(wanted, topics[n - 1])}
    lost = concern | set(range(1, trimmed + 1))
    must = [at(n) for n in sorted(lost) if after < at(n) <= until]
    assert all(any(low < p <= high for low, high in gaps) for p in must)
    if not must:
        assert gaps == []
    for p in found:
        assert not any(low < p <= high for low, high in gaps), "a gap covers no event that was sent"


async def test_no_events_of_the_topics_cost_one_read(
    written: WrittenJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await written.write([["1"]] * 500)
    reader = TopicReader(written.redis, written.keys, Journal(written.redis, written.keys))
    reads = 0
    pipeline = written.redis.pipeline

    def counted(*given: Any, **more: Any) -> Any:
        nonlocal reads
        reads += 1
        return pipeline(*given, **more)

    monkeypatch.setattr(written.redis, "pipeline", counted)
    page = await reader.after(["2", "user:GA"], START, at(400), 16)
    assert page == JournalPage([], True, at(400))
    assert reads == 1


async def test_many_topics_with_many_events_are_read_in_small_steps(
    written: WrittenJournal,
) -> None:
    many = [str(n) for n in range(1, 101)]
    await written.write([[many[n % 100]] for n in range(600)] + [["1"]] * 100)
    found, gaps = await written.replay(many, START, at(700), 128)
    assert found == [at(n) for n in range(1, 701)]
    assert gaps == []


async def test_entries_that_are_trimmed_after_their_positions_were_read_are_a_gap(
    written: WrittenJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await written.write([["1"]] * 20)
    at_positions, counted = Journal.at, LOST_ENTRY._value.get()

    async def trimmed_before(
        journal: Journal, positions: Sequence[Position]
    ) -> list[JournalEntry | None]:
        await written.trim(5)
        return await at_positions(journal, positions)

    monkeypatch.setattr(Journal, "at", trimmed_before)
    found, gaps = await written.replay(["1"], START, at(20), 8)
    assert gaps == [(START, at(5))]
    assert found == [at(n) for n in range(6, 21)]
    assert LOST_ENTRY._value.get() == counted, "trimmed entries are not lost"


async def test_a_lost_entry_of_the_topics_is_counted_and_one_of_others_is_not(
    written: WrittenJournal,
) -> None:
    await written.write([["1"], ["2"], ["1"], ["1"], ["2"], ["1"]])
    await written.redis.xdel(written.keys.journal, "3-0", "4-0", "5-0")
    counted = LOST_ENTRY._value.get()
    assert await written.replay(["1"], START, at(6), 8) == ([at(1), at(6)], [(at(1), at(4))])
    assert LOST_ENTRY._value.get() == counted + 1
    assert await written.replay(["user:GA"], START, at(6), 8) == ([], [])


async def test_a_journal_that_ends_below_the_wanted_position_is_read_up_to_its_end(
    written: WrittenJournal,
) -> None:
    """After a failover that lost writes, a fanout asks for more than the journal has."""
    await written.write([["1"], ["2"], ["1"], ["2"]])
    reader = TopicReader(written.redis, written.keys, Journal(written.redis, written.keys))
    page = await reader.after(["1"], at(1), at(9), 8)
    assert isinstance(page, JournalPage)
    assert [entry.position for entry in page.entries] == ["3-0"]
    assert page.end == at(4)
    assert await reader.after(["1"], at(4), at(9), 8) == NoNewEvents()
