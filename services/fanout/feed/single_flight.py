"""Reads of the history for resumes. Few run at once. Callers that need the same page share a read.

Callers wait in the order in which they asked. Each reads one page at a time, so a short resume does
not wait until a long one has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from shared.domain.position import Position
from shared.journal.pages import PageReader
from shared.journal.reader import Page

_PARALLEL = 2
"""Reads at the same time: while Redis answers one, the page of the other is parsed."""


class SingleFlightReader:
    """The running reads, by position and limit. When a read ends, it is forgotten.

    Itself a PageReader.
    """

    def __init__(self, reader: PageReader) -> None:
        self._reader = reader
        self._slots = asyncio.Semaphore(_PARALLEL)
        self._under_way: dict[tuple[Position, int], asyncio.Task[Page]] = {}

    async def after(self, position: Position, limit: int) -> Page:
        """Like `Journal.after`. If a caller stops waiting, the others still get the page."""
        key = (position, limit)
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._read(position, limit))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key))
        return await asyncio.shield(task)

    async def _read(self, position: Position, limit: int) -> Page:
        async with self._slots:
            return await self._reader.after(position, limit)

    async def of_topics(
        self, topics: Sequence[str], position: Position, until: Position, limit: int
    ) -> Page:
        """Like `TopicReader.after`. These reads are not shared: most callers have other topics."""
        async with self._slots:
            return await self._reader.of_topics(topics, position, until, limit)
