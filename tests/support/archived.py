"""Archives a journal as the archiver does, and trims it, for tests of those who read both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from shared.archive.catalog import Catalog
from shared.archive.mark import ArchiveMark, write_mark
from shared.archive.store import ArchiveStore
from shared.archive.writer import append
from shared.domain.position import END, parse_position
from shared.journal.keys import Keys
from shared.journal.reader import Journal
from shared.journal.wire import JournalEntry


class JournalArchive:
    """An archive of one namespace in a local folder. `url` is its ARCHIVE_URL."""

    def __init__(self, redis: Redis, keys: Keys, folder: Path) -> None:
        self.folder = folder
        self.url = f"file://{folder}"
        self.catalog = Catalog(ArchiveStore(self.url, keys.namespace, makes_folder=True))
        self._redis = redis
        self._keys = keys

    async def append(self, size: int = 10_000) -> list[JournalEntry]:
        """Archive what is new in the journal, in segments of this size. Returns these entries."""
        journal = Journal(self._redis, self._keys)
        new = await journal.between(self.catalog.end, END, 1_000_000, newest_first=False)
        stored: Any = await self._redis.hgetall(self._keys.progress)
        progress = {name.decode(): value.decode() for name, value in stored.items()}
        for n in range(0, len(new), size):
            await append(self.catalog, new[n : n + size], progress=progress, owner={})
        if new:
            mark = ArchiveMark(parse_position(new[-1].position), self.catalog.chain.hex(), 1)
            await write_mark(self._redis, self._keys, mark)
        return new

    async def trim(self, kept: int) -> Sequence[str]:
        """Trim the journal and its topics to the newest entries. Returns the trimmed positions."""
        rows: Any = await self._redis.xrange(self._keys.journal)
        trimmed = [position.decode() for position, _ in rows][:-kept]
        await self._redis.xtrim(self._keys.journal, maxlen=kept, approximate=False)
        padded = f"[{parse_position(trimmed[-1]).padded}"
        async for name in self._redis.scan_iter(self._keys.topic("*"), count=1000):
            await self._redis.zremrangebylex(name, "-", padded)
        return trimmed
