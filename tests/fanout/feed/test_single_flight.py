"""Concurrent reads of the same journal page share one read of Redis."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.fanout.feed.single_flight import SingleFlightReader
from shared.domain.position import START, Position
from shared.journal.reader import NoNewEvents, Page
from tests.support.waiting import until


class SlowJournal:
    """A journal that answers when the test allows it."""

    def __init__(self) -> None:
        self.reads: list[tuple[object, ...]] = []
        self.running = self.most = 0
        self.may_answer = asyncio.Event()
        self.error: Exception | None = None

    async def after(self, *asked: Any) -> Page:
        self.reads.append(asked[-3:])
        self.running += 1
        self.most = max(self.most, self.running)
        await self.may_answer.wait()
        self.running -= 1
        if self.error:
            raise self.error
        return NoNewEvents()

    of_topics = after


def reader_of(journal: SlowJournal) -> SingleFlightReader:
    return SingleFlightReader(journal)


async def test_callers_that_ask_for_the_same_page_share_one_read() -> None:
    journal = SlowJournal()
    reader = reader_of(journal)
    same = [asyncio.create_task(reader.after(START, 500)) for _ in range(1000)]
    other = asyncio.create_task(reader.after(Position(1, 0), 500))
    await until(lambda: len(journal.reads) == 2)
    same[0].cancel()  # a cancelled caller does not cancel the read of the others
    journal.may_answer.set()
    answers = await asyncio.gather(*same[1:], other)
    assert answers == [NoNewEvents()] * 1000
    assert sorted(journal.reads) == [(START, 500), (Position(1, 0), 500)]


async def test_no_page_is_kept_so_the_next_read_has_newer_entries() -> None:
    journal = SlowJournal()
    journal.may_answer.set()
    reader = reader_of(journal)
    await reader.after(START, 500)
    await reader.after(START, 500)
    assert len(journal.reads) == 2
    assert not reader._under_way


async def test_a_failed_read_fails_for_all_callers_and_is_not_kept() -> None:
    journal = SlowJournal()
    journal.error = ConnectionError("away")
    reader = reader_of(journal)
    waiting = [asyncio.create_task(reader.after(START, 500)) for _ in range(3)]
    await until(lambda: journal.reads)
    journal.may_answer.set()
    for task in waiting:
        with pytest.raises(ConnectionError):
            await task
    journal.error = None
    assert await reader.after(START, 500) == NoNewEvents()


async def test_few_reads_run_at_once_and_callers_wait_in_their_order() -> None:
    journal = SlowJournal()
    reader = reader_of(journal)
    until_there, asked = Position(99, 0), [Position(n, 0) for n in range(10)]
    waiting = [asyncio.create_task(reader.of_topics(["7"], each, until_there, 5)) for each in asked]
    waiting.append(asyncio.create_task(reader.after(START, 5)))
    await until(lambda: len(journal.reads) == 2)
    journal.may_answer.set()
    await asyncio.gather(*waiting)
    assert journal.most == 2
    assert journal.reads == [*((each, until_there, 5) for each in asked), (START, 5)]
