"""A restored journal has the newest entries: as many as it keeps, whatever the segments are."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from services.archiver.journal_tail import JournalTail
from services.archiver.restoring import has_document
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.plan import Retention
from shared.journal.reader import Journal
from shared.journal.rebuilding import cost_of
from shared.journal.wire import JournalEntry
from tests.archiver.archives import ChainCommits, create_stream
from tests.shared.samples import TYPE, at, chain

SIZES = st.lists(st.lists(st.integers(0, 3_000), min_size=1, max_size=6), min_size=1, max_size=6)


def entry(size: int) -> JournalEntry:
    return JournalEntry("1-0", "0-0", "stream.created", ("7", "user:G"), b"x" * size)


@given(SIZES, st.integers(1, 40), st.integers(1, 60_000))
def test_it_is_the_longest_that_fits(sizes: list[list[int]], length: int, most: int) -> None:
    segments = [[entry(size) for size in each] for each in sizes]
    tail = JournalTail(Retention(max_length=length, max_bytes=most))
    for n in reversed(range(len(segments))):
        tail.saw(n, segments[n])
    kept = [each for some in segments[tail.segment :] for each in some][tail.skipped :]
    everything = [each for some in segments for each in some]
    assert tail.count == len(kept) >= 1, "the newest entry is always kept"
    assert tail.before == sum(map(cost_of, everything[: len(everything) - len(kept)]))
    fits = len(kept) <= length and sum(map(cost_of, kept)) <= most
    assert fits or len(kept) == 1
    if more := everything[-len(kept) - 1 :][: len(everything) - len(kept) and 1]:
        assert len(kept) == length or sum(map(cost_of, [*more, *kept])) > most


def test_it_begins_after_a_gap() -> None:
    tail = JournalTail(Retention())
    tail.saw(2, [entry(1), entry(2)])
    tail.end()
    tail.saw(1, [entry(3)])
    assert (tail.segment, tail.skipped, tail.count, tail.before) == (2, 0, 2, cost_of(entry(3)))


async def test_the_cost_is_that_of_the_commit(redis: Redis, keys: Keys) -> None:
    await ChainCommits(redis, keys).commit(2)
    await create_stream(redis, keys, "1", note="ä€" * 50)
    rows: Any = await redis.xrange(keys.journal)
    costs = map(cost_of, await Journal(redis, keys).latest(10))
    assert int(rows[-1][1][b"s"]) == sum(costs)


async def test_only_an_event_of_a_known_stream_ends_with_its_document(
    redis: Redis, keys: Keys
) -> None:
    unknown = chain(TYPE.STREAM_WITHDRAWN, "99", at(9), amount="1", x={"y": {}})
    await Committer(redis, keys).record([unknown], progress={})
    await create_stream(redis, keys, "1", x={"y": {}})
    without, with_document = await Journal(redis, keys).latest(10)
    assert not has_document(without)
    assert has_document(with_document)
