"""The archive as a PageReader, for resumes and for the history of the API.

A page has at most 128 entries, but the archive is read in chunks of about one megabyte, because
each read decodes a part of a row group. A chunk is kept for a short time: the next page, and other
clients that read the same events, get theirs from it.

See docs/decisions/0124-journal-and-archive-are-one-history.md.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from shared.archive.errors import ArchiveError
from shared.archive.reader import ArchiveReader
from shared.domain.position import END, Position, parse_position
from shared.journal.reader import JournalPage, Page
from shared.journal.wire import JournalEntry

log = structlog.get_logger()

_CHUNK = 2_000
"""Entries in a chunk. The reader limits its bytes too."""
_AHEAD = 8
"""Pages in a chunk of some topics. The first pages of a resume are small, so they come soon."""
_CHUNKS = 16
_SECONDS = 30.0
"""For so long a chunk is kept. After that, an erased body is not sent any more."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Entries after `asked`, up to `end`, of these topics (None: of all)."""

    topics: frozenset[str] | None
    asked: Position
    end: Position
    entries: Sequence[JournalEntry]
    positions: Sequence[Position]
    read_at: float

    def covers(self, topics: frozenset[str] | None, position: Position) -> bool:
        """True if the next page after the position is in this chunk."""
        first = self.positions[0] if self.positions else END
        inside = position == self.asked or first <= position < self.end
        return topics == self.topics and inside and time.monotonic() - self.read_at < _SECONDS

    def page(self, position: Position, limit: int) -> JournalPage:
        """The next page after the position."""
        first = bisect_right(self.positions, position)
        last = first + limit
        end = self.end if last >= len(self.positions) else self.positions[last - 1]
        return JournalPage(self.entries[first:last], True, end)


class ArchivePages:
    """Pages of an archive. A PageReader; its pages always have `more`, as the journal follows.

    All methods raise ArchiveError if the archive is away or damaged.
    """

    def __init__(self, reader: ArchiveReader) -> None:
        self.catalog = reader.catalog
        self._reader = reader
        self._chunks: list[_Chunk] = []
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
        async with self._lock:
            if self.catalog.end < until and self._refreshed <= asked:
                self._refreshed = time.monotonic()
                with _logged():
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
        with _logged():
            return await self._reader.between(
                after, before, count, newest_first=newest_first, topics=topics
            )

    async def _page(
        self,
        topics: frozenset[str] | None,
        position: Position,
        limit: int,
        read: Callable[[], Awaitable[Page]],
    ) -> Page:
        for chunk in self._chunks:
            if chunk.covers(topics, position):
                return chunk.page(position, limit)
        with _logged():
            answer = await read()
        if not isinstance(answer, JournalPage):
            return answer
        positions = [parse_position(entry.position) for entry in answer.entries]
        now = time.monotonic()
        chunk = _Chunk(topics, position, answer.end, answer.entries, positions, now)
        self._chunks = [chunk, *self._chunks[: _CHUNKS - 1]]
        return chunk.page(position, limit)


@contextmanager
def _logged() -> Iterator[None]:
    """Log that a client has to try again, because the archive is away or damaged."""
    try:
        yield
    except ArchiveError as error:
        log.warning("archive_unreadable", error=str(error))
        raise
