"""Pages of the journal for resumes: one read for all who ask for the same at the same time."""

from __future__ import annotations

import asyncio

from shared.domain.position import Position
from shared.journal.reader import Journal, JournalGap, JournalPage, NoNewEvents

Page = JournalPage | NoNewEvents | JournalGap


class SingleFlightReader:
    """Reads that are under way, by what they read; nothing is kept once they are answered."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._under_way: dict[tuple[Position, int], asyncio.Task[Page]] = {}

    async def after(self, position: Position, limit: int) -> Page:
        """Like `Journal.after`. One who stops waiting does not stop it for the others."""
        key = (position, limit)
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._journal.after(position, limit))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key))
        return await asyncio.shield(task)
