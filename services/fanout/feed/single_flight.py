"""Reads pages of the journal for resumes: one read for all that ask for the same at a time."""

from __future__ import annotations

import asyncio

from shared.domain.position import Position
from shared.journal.reader import Journal, JournalGap, JournalPage, NoNewEvents

Page = JournalPage | NoNewEvents | JournalGap


class SingleFlightReader:
    """The reads that are running, by what they read. Nothing is kept after a read ends."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._under_way: dict[tuple[Position, int], asyncio.Task[Page]] = {}

    async def after(self, position: Position, limit: int) -> Page:
        """Like `JournalReader.after`. If a caller stops waiting, the others still get the page."""
        key = (position, limit)
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._journal.after(position, limit))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key))
        return await asyncio.shield(task)
