"""Read the archive's entries of a range of ledgers, and the streams before the range.

Import it only if ARCHIVE_URL is set: pyarrow costs memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson
from redis.asyncio import Redis

from services.indexer.commands.journal_range import JournalRange
from services.indexer.commands.runner import CommandFailedError
from services.indexer.commands.verification import Difference, Document, ExpectedEvents
from services.indexer.sources.ledger_range import cursor_before, next_ledger
from shared.archive.catalog import Catalog
from shared.archive.reader import ArchiveReader
from shared.archive.store import ArchiveStore
from shared.domain.position import END, START, Position, toid
from shared.journal.keys import Keys

_ALL = 1 << 62


class ArchiveRange(JournalRange):
    """The archive's entries of a range of ledgers. Stored streams are not compared."""

    _reader: ArchiveReader

    @classmethod
    async def of_archive(
        cls, redis: Redis, keys: Keys, url: str, first: int, last: int
    ) -> ArchiveRange:
        """Read the entries of ledgers `first` to `last`.

        Raises CommandFailedError if they are not archived yet, and ArchiveError.
        """
        catalog = Catalog(ArchiveStore(url, keys.namespace))
        await catalog.refresh()
        archived = _last_ledger(catalog)
        if last > archived:
            raise CommandFailedError(
                f"the archive of {keys.namespace} is complete only up to ledger {archived}"
            )
        beginning = catalog.manifests[0]
        first_kept = START if beginning.before == catalog.began else beginning.first
        reader = ArchiveReader(catalog)
        after, before = Position(toid(first) - 1, END.n), Position(toid(last + 1), 0)
        entries = await reader.between(after, before, _ALL, newest_first=False)
        made = cls(redis, keys, cursor_before(first) + 1, first_kept, entries)
        made._reader = reader
        return made

    async def stored(self, expected: ExpectedEvents) -> AsyncIterator[Difference]:
        """Nothing: only the journal knows the last events of the stored streams."""
        return
        yield

    async def _document_before(self, stream_id: str) -> tuple[bool, Document | None]:
        found = await self._reader.between(
            START, Position(self._start, 0), 1, newest_first=True, topics=[stream_id]
        )
        return bool(found), orjson.loads(found[0].body).get("stream") if found else None


def _last_ledger(catalog: Catalog) -> int:
    """The last ledger whose events are all archived; 0 if that is unknown."""
    cursors = (each.progress.get("cursor") for each in reversed(catalog.manifests))
    cursor = next(filter(None, cursors), None)
    return next_ledger(int(cursor.partition("-")[0])) - 1 if cursor else 0
