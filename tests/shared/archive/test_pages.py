"""Chunks of the archive: shared by clients, kept for a short time, and awaited for a short time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.archive import pages as pages_module
from shared.archive.catalog import Catalog
from shared.archive.errors import ArchiveUnavailableError
from shared.archive.pages import ArchivePages
from shared.archive.reader import ArchiveReader
from shared.domain.position import START, Position
from shared.journal.reader import JournalPage, NoNewEvents, Page
from tests.shared.archive.written import entries, write
from tests.support.waiting import until

pytestmark = pytest.mark.io

TOPICS = [["1"], ["2"], []] * 20


class CountingReader(ArchiveReader):
    """A reader that counts its reads, and answers them when the test allows it."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(catalog)
        self.reads: list[Any] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def after(self, position: Position, limit: int = 500) -> Page:
        self.reads.append(position)
        await self.may_answer.wait()
        return await super().after(position, limit)

    async def of_topics(self, *given: Any) -> Page:
        self.reads.append(given)
        return await super().of_topics(*given)


@pytest.fixture
async def reader(catalog: Catalog) -> CountingReader:
    await write(catalog, entries(TOPICS), [25])
    return CountingReader(catalog)


async def walk(pages: ArchivePages, *topics: str, since: int = 0) -> list[int]:
    """The numbers of all events after a position, five at a time."""
    found, position = list[int](), Position(since, 0)
    end = pages.catalog.end
    while position < end:
        if topics:
            page = await pages.of_topics(topics, position, end, 5)
        else:
            page = await pages.after(position, 5)
        assert isinstance(page, JournalPage)
        found += [int(entry.position.removesuffix("-0")) for entry in page.entries]
        position = page.end
    return found


async def test_pages_and_clients_share_chunks(reader: CountingReader) -> None:
    pages = ArchivePages(reader)
    assert await walk(pages) == [*range(1, 61)]
    assert len(reader.reads) == 2, "one of each segment"
    assert await walk(pages, since=7) == [*range(8, 61)]
    assert len(reader.reads) == 2
    assert await walk(pages, "1") == [n for n in range(1, 61) if n % 3 != 2]
    assert await walk(pages, "2", since=30) == [n for n in range(31, 61) if n % 3 != 1]
    assert isinstance(await pages.after(Position(60, 0), 5), NoNewEvents)


async def test_clients_that_come_together_share_a_read(reader: CountingReader) -> None:
    pages = ArchivePages(reader)
    reader.may_answer.clear()
    asked = [asyncio.create_task(pages.after(START, n)) for n in range(1, 9)]
    await until(lambda: reader.reads)
    asked[0].cancel()
    reader.may_answer.set()
    answers = await asyncio.gather(*asked[1:])
    assert [len(page.entries) for page in answers if isinstance(page, JournalPage)] == [
        *range(2, 9)
    ]
    assert len(reader.reads) == 1


async def test_a_chunk_is_forgotten_because_its_bodies_can_be_erased(
    reader: CountingReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages_module, "KEEP_SECONDS", 0)
    pages = ArchivePages(reader)
    for _ in range(2):
        page = await pages.after(START, 5)
        assert isinstance(page, JournalPage)
        assert len(page.entries) == 5
    assert len(reader.reads) == 2


async def test_an_archive_that_hangs_holds_no_client(
    reader: CountingReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = ArchivePages(reader)
    reader.may_answer.clear()
    asked = (pages.after(START, 5) for _ in range(50))
    with monkeypatch.context() as patch:
        patch.setattr(pages_module, "ANSWER_SECONDS", 0.05)
        answers = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(each) for each in answers} == {ArchiveUnavailableError}
    assert len(reader.reads) == 1
    reader.may_answer.set()
    page = await pages.after(START, 5)
    assert isinstance(page, JournalPage)
    assert len(page.entries) == 5
    assert len(reader.reads) == 1, "the answer that came late was kept"
