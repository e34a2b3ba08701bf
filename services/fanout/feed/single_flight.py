"""Reads pages of the journal for resumes. Callers that ask for the same page share one read."""

from __future__ import annotations

import asyncio

from shared.domain.position import Position
from shared.journal.reader import Journal, JournalGap, JournalPage, NoNewEvents

Page = JournalPage | NoNewEvents | JournalGap


class SingleFlightReader:
    """The running reads, by position and limit. When a read ends, it is forgotten."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._under_way: dict[tuple[Position, int], asyncio.Task[Page]] = {}

    async def after(self, position: Position, limit: int) -> Page:
        """Like `Journal.after`. If a caller stops waiting, the others still get the page."""
        key = (position, limit)
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._journal.after(position, limit))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key))
        return await asyncio.shield(task)
