"""Reading the archive like the journal: a page of entries, nothing new, or a gap.

At most two reads run at once. Each takes a thread, and reads about one megabyte of bodies.

See docs/decisions/0120-segments-are-parquet.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from shared.archive.blocks import BlockCache
from shared.archive.catalog import Catalog
from shared.archive.errors import NotInArchiveError
from shared.archive.manifest import Manifest
from shared.archive.segment_reader import Budget, SegmentReader, Selection
from shared.archive.topic_filter import may_contain
from shared.domain.position import END, START, Position, parse_position
from shared.journal.read_size import READ_BYTES
from shared.journal.reader import JournalGap, JournalPage, NoNewEvents
from shared.journal.topic_index import BROADCASTS
from shared.journal.wire import JournalEntry

_AT_ONCE = 2
_SEGMENTS = 16
"""How many segments one call looks into for topics; then it returns a page that ends there."""
_UNBOUNDED = 1 << 62
_REFRESH_SECONDS = 2.0
"""At most so often the catalog is read again because a reader is at its end."""

T = TypeVar("T")


class ArchiveReader:
    """Reads an archive. `cache` keeps blocks of files that are not on the local disk.

    All reads raise ArchiveUnavailableError if the store does not answer, and DamagedArchiveError.
    A reader at the archive's end reads the catalog again, once in `refresh_seconds`.
    """

    def __init__(
        self,
        catalog: Catalog,
        cache: BlockCache | None = None,
        *,
        refresh_seconds: float = _REFRESH_SECONDS,
    ) -> None:
        self.catalog = catalog
        self._segments = SegmentReader(catalog.store, cache)
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="archive")
        self._cached_for: Sequence[Manifest] = ()
        self._refresh_seconds = refresh_seconds
        self._refreshed = -refresh_seconds

    async def after(
        self, position: Position, limit: int = 500
    ) -> JournalPage | NoNewEvents | JournalGap:
        """The next page after `position`, at most about 1 MB of bodies.

        NoNewEvents: the archive ends at or below `position`. A read from START reports a gap only
        if the archive has lost its beginning.
        """
        return await self._retried(lambda: self._after(position, limit))

    async def of_topics(
        self, topics: Collection[str], position: Position, before: Position, limit: int
    ) -> JournalPage | NoNewEvents | JournalGap:
        """The next events of these topics, and broadcasts, after `position` and below `before`.

        A page can have no events: then there are none up to its `end`. `more` is False if the page
        reaches `before` or the archive's end. NoNewEvents: there is nothing between `position` and
        `before`, or the archive ends at or below `position`.
        """
        return await self._retried(lambda: self._of_topics(topics, position, before, limit))

    async def between(
        self,
        after: Position,
        before: Position,
        count: int,
        *,
        newest_first: bool,
        topics: Collection[str] | None = None,
    ) -> list[JournalEntry]:
        """At most `count` entries between two positions, both excluded.

        With `topics`, only their events; for broadcasts add the topic "". Fewer entries than
        `count` mean that the archive has no more.
        """
        wanted = Selection(after, before, topics)
        return await self._retried(lambda: self._between(wanted, count, newest_first=newest_first))

    async def _after(
        self, position: Position, limit: int
    ) -> JournalPage | NoNewEvents | JournalGap:
        await self._refresh_at_end(position)
        manifests = self.catalog.manifests
        n = self.catalog.covering(position)
        if n == len(manifests):
            return NoNewEvents()
        if gap := self._gap(manifests[n], position):
            return gap
        wanted, budget = Selection(position, END), Budget(limit, READ_BYTES)
        entries = await self._in_thread(self._segments.read, manifests[n], wanted, budget)
        end = parse_position(entries[-1].position)
        return JournalPage(entries, end < self.catalog.end, end)

    async def _of_topics(
        self, topics: Collection[str], position: Position, before: Position, limit: int
    ) -> JournalPage | NoNewEvents | JournalGap:
        if before <= _next(position):
            return NoNewEvents()
        await self._refresh_at_end(position)
        whole = self.catalog.manifests[self.catalog.covering(position) :]
        if not whole:
            return NoNewEvents()
        if whole[0].before < before and (gap := self._gap(whole[0], position)):
            return gap
        wanted = Selection(position, before, {*topics, BROADCASTS})
        budget = Budget(limit, READ_BYTES)
        entries, end = await self._in_thread(self._search, _joined(whole), wanted, budget)
        return JournalPage(entries, end < min(_before(before), self.catalog.end), end)

    def _search(
        self, manifests: Sequence[Manifest], wanted: Selection, budget: Budget
    ) -> tuple[list[JournalEntry], Position]:
        """The entries in these segments, and up to where all were read."""
        entries: list[JournalEntry] = []
        looked, end = 0, wanted.after
        for manifest in manifests:
            if manifest.before >= wanted.before or looked == _SEGMENTS:
                break
            if may_contain(manifest.topics, wanted.topics or ()):
                looked += 1
                entries += self._segments.read(manifest, wanted, budget)
            if budget.spent:
                return entries, parse_position(entries[-1].position)
            end = manifest.last
        return entries, min(end, _before(wanted.before))

    async def _between(
        self, wanted: Selection, count: int, *, newest_first: bool
    ) -> list[JournalEntry]:
        await self._refresh_at_end(_before(wanted.before))
        first = self.catalog.covering(wanted.after)
        manifests = [each for each in self.catalog.manifests[first:] if each.before < wanted.before]
        budget = Budget(count, _UNBOUNDED)
        return await self._in_thread(
            self._collect,
            manifests[::-1] if newest_first else manifests,
            wanted,
            budget,
            newest_first,
        )

    def _collect(
        self, manifests: Sequence[Manifest], wanted: Selection, budget: Budget, newest_first: bool
    ) -> list[JournalEntry]:
        entries: list[JournalEntry] = []
        for manifest in manifests:
            if budget.spent:
                break
            if wanted.topics is None or may_contain(manifest.topics, wanted.topics):
                entries += self._segments.read(manifest, wanted, budget, newest_first=newest_first)
        return entries

    def _gap(self, manifest: Manifest, position: Position) -> JournalGap | None:
        """The gap between the position and the next entry, which is in this segment."""
        before = manifest.before
        if before <= position or (position == START and before == self.catalog.began):
            return None
        return JournalGap(before)

    async def _refresh_at_end(self, position: Position) -> None:
        """Read the catalog again if the position is at its end, but not more often than needed."""
        if position < self.catalog.end:
            return
        if time.monotonic() - self._refreshed >= self._refresh_seconds:
            await self.catalog.refresh()
            self._refreshed = time.monotonic()

    async def _retried(self, read: Callable[[], Awaitable[T]]) -> T:
        """Try once more with a new catalog if a file is gone: its segment was merged."""
        try:
            return await read()
        except NotInArchiveError:
            await self.catalog.refresh()
            return await read()

    async def _in_thread(self, act: Callable[..., T], *args: object) -> T:
        """Run in one of the threads. A cancelled read keeps its thread until it ends."""
        run = asyncio.get_running_loop().run_in_executor
        if (manifests := self.catalog.manifests) is not self._cached_for:
            self._cached_for = manifests
            await run(self._threads, self._segments.forget_others, manifests)
        return await run(self._threads, act, *args)


def _joined(manifests: Sequence[Manifest]) -> Sequence[Manifest]:
    """The manifests up to the first range that is missing in the archive."""
    for n, each in enumerate(manifests[1:], 1):
        if each.before != manifests[n - 1].last:
            return manifests[:n]
    return manifests


def _next(position: Position) -> Position:
    """The position just above this one."""
    toid, n = position
    return Position(toid, n + 1) if n < END.n else Position(toid + 1, 0)


def _before(position: Position) -> Position:
    """The position just below this one."""
    toid, n = position
    return Position(toid, n - 1) if n else Position(max(0, toid - 1), END.n if toid else 0)
