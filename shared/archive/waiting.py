"""Waits until an event is archived, so that an acknowledged write survives the loss of Redis.

The archiver stores in Redis up to where it has archived (shared.archive.mark). All callers share
one read of this mark.

See docs/decisions/0124-journal-and-archive-are-one-history.md.
"""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from shared.archive.mark import read_mark
from shared.domain.errors import HeadraceError
from shared.domain.position import START, Position
from shared.journal.keys import Keys

_POLL = 0.02
"""Seconds between two reads of the mark while somebody waits."""


class NotArchivedError(HeadraceError):
    """The write happened, but the archive does not have it yet. Repeat the request."""


class ArchiveWait:
    """Waits at most `milliseconds` for each event. It does not wait if this is 0."""

    def __init__(self, redis: Redis, keys: Keys, milliseconds: int = 0) -> None:
        self._redis = redis
        self._keys = keys
        self._milliseconds = milliseconds
        self._archived = START
        self._reading: asyncio.Task[None] | None = None

    async def until(self, position: Position) -> None:
        """Return when everything up to `position` is archived.

        Raises NotArchivedError if this takes too long, and the errors of Redis.
        """
        if not self._milliseconds:
            return
        try:
            async with asyncio.timeout(self._milliseconds / 1000):
                while self._archived < position:
                    await self._read_once()
        except TimeoutError:
            raise NotArchivedError(
                f"The write happened, but after {self._milliseconds} ms the archive ends at "
                f"{self._archived}, before {position}"
            ) from None

    async def _read_once(self) -> None:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        await asyncio.shield(self._reading)

    async def _read(self) -> None:
        await asyncio.sleep(_POLL)
        mark = await read_mark(self._redis, self._keys)
        self._archived = mark.position if mark else START
