"""The archive as a PageReader, for resumes and for the history of the API.

A page has at most 128 entries, but the archive is read in chunks of about one megabyte, because
each read decodes a part of a row group. A chunk is kept for a short time: the next page, and other
clients that read the same events, get theirs from it. Callers that need the same chunk at the same
time share a read.

See docs/decisions/0124-journal-and-archive-are-one-history.md.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from shared.archive.errors import ArchiveError, ArchiveUnavailableError
from shared.archive.reader import ArchiveReader
from shared.domain.position import END, Position, parse_position
from shared.journal.reader import JournalPage, Page
from shared.journal.wire import JournalEntry

log = structlog.get_logger()

ANSWER_SECONDS = 20.0
"""Seconds that a caller waits for the archive. A store that hangs must not hold its clients."""
KEEP_SECONDS = 30.0
"""For so long a chunk is kept. After that, an erased body is not sent any more."""
_CHUNK = 2_000
"""Entries in a chunk. The reader limits its bytes too."""
_AHEAD = 8
"""Pages in a chunk of some topics. The first pages of a resume are small, so they come soon."""
_CHUNKS = 16

_Topics = frozenset[str] | None
"""Of which topics a chunk has the events. None: of all."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Entries after `asked`, up to `end`."""

    topics: _Topics
    asked: Position
    end: Position
    entries: Sequence[JournalEntry]
    positions: Sequence[Position]
    read_at: float

    def covers(self, topics: _Topics, position: Position) -> bool:
        """True if the next page after the position is in this chunk."""
        first = self.positions[0] if self.positions else END
        inside = position == self.asked or first <= position < self.end
        return topics == self.topics and inside and time.monotonic() - self.read_at < KEEP_SECONDS

    def page(self, position: Position, limit: int) -> JournalPage:
        """The next page after the position."""
        first = bisect_right(self.positions, position)
        last = first + limit
        end = self.end if last >= len(self.positions) else self.positions[last - 1]
        return JournalPage(self.entries[first:last], True, end)


class ArchivePages:
    """Pages of an archive. A PageReader; its pages always have `more`, as the journal follows.

    All methods raise ArchiveError if the archive is damaged, is away, or does not answer in time.
    """

    def __init__(self, reader: ArchiveReader) -> None:
        self.catalog = reader.catalog
        self._reader = reader
        self._chunks: list[_Chunk] = []
        self._under_way: dict[tuple[_Topics, Position], asyncio.Task[_Chunk | Page]] = {}
        self._lock = asyncio.Lock()
        self._refreshed = float("-inf")  # when the last refresh began

    async def after(self, position: Position, limit: int) -> Page:
        """The next page of all events."""
        return await self._page(None, position, limit, lambda: self._reader.after(position, _CHUNK))

    async def of_topics(
        self, topics: Sequence[str], position: Position, until: Position, limit: int
    ) -> Page:
        """The next page of the events of these topics, and of the events for everyone.

        A page can go beyond `until`.
        """
        before, count = Position(until.toid, until.n + 1), min(_CHUNK, _AHEAD * limit)
        wanted = frozenset(topics)

        def read() -> Awaitable[Page]:
            return self._reader.of_topics(wanted, position, before, count)

        return await self._page(wanted, position, limit, read)

    async def freshen(self, until: Position) -> None:
        """Read the catalog again if it ends below `until`. Callers share the reads.

        A reader does this by itself too, but not for every call. Before anything is called missing,
        it has to be done.
        """
        asked = time.monotonic()
        async with _answered(), self._lock:
            if self.catalog.end < until and self._refreshed <= asked:
                self._refreshed = time.monotonic()
                await self.catalog.refresh()

    async def between(
        self,
        after: Position,
        before: Position,
        count: int,
        *,
        newest_first: bool,
        topics: Sequence[str] | None,
    ) -> list[JournalEntry]:
        """Like `ArchiveReader.between`."""
        async with _answered():
            return await self._reader.between(
                after, before, count, newest_first=newest_first, topics=topics
            )

    async def _page(
        self, topics: _Topics, position: Position, limit: int, read: Callable[[], Awaitable[Page]]
    ) -> Page:
        if chunk := self._kept(topics, position):
            return chunk.page(position, limit)
        async with _answered():
            answer = await self._shared((topics, position), self._read(topics, position, read))
        return answer.page(position, limit) if isinstance(answer, _Chunk) else answer

    def _kept(self, topics: _Topics, position: Position) -> _Chunk | None:
        return next((each for each in self._chunks if each.covers(topics, position)), None)

    async def _read(
        self, topics: _Topics, position: Position, read: Callable[[], Awaitable[Page]]
    ) -> _Chunk | Page:
        answer = await read()
        if not isinstance(answer, JournalPage):
            return answer
        positions = [parse_position(entry.position) for entry in answer.entries]
        now = time.monotonic()
        chunk = _Chunk(topics, position, answer.end, answer.entries, positions, now)
        self._chunks = [chunk, *self._chunks[: _CHUNKS - 1]]
        return chunk

    async def _shared(
        self, key: tuple[_Topics, Position], read: Coroutine[Any, Any, _Chunk | Page]
    ) -> _Chunk | Page:
        """The answer of a read. If a caller stops waiting, the read goes on for the others."""
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(read)
            task.add_done_callback(lambda done: self._ended(key, done))
        else:
            read.close()
        return await asyncio.shield(task)

    def _ended(self, key: tuple[_Topics, Position], task: asyncio.Task[_Chunk | Page]) -> None:
        del self._under_way[key]
        if not task.cancelled():
            task.exception()  # if nobody waits any more, the error was logged as a late answer


@asynccontextmanager
async def _answered() -> AsyncIterator[None]:
    """Bound the wait, and log that a client has to try again."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            yield
    except TimeoutError as error:
        why = f"the archive does not answer within {ANSWER_SECONDS:g} s"
        log.warning("archive_unreadable", error=why)
        raise ArchiveUnavailableError(why) from error
    except ArchiveError as error:
        log.warning("archive_unreadable", error=str(error))
        raise
