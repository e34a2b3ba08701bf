"""What the active archiver checks once a second: the journal's end, and the mark in Redis.

The archive remembers what Redis had. So the archiver notices that Redis was emptied even if all
other processes have started after the loss, and it reports the loss like them.

See docs/decisions/0049-loss-of-redis-is-an-event.md,
docs/decisions/0122-restore-brings-the-journal-back.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from redis.asyncio import Redis

from services.archiver import metrics
from shared.archive.catalog import Catalog
from shared.archive.mark import read_mark
from shared.domain.position import parse_position
from shared.journal.keys import Keys
from shared.journal.losses import DataLossDetector, check_journal

log = structlog.get_logger()

_INTERVAL = 1.0


def remembered(catalog: Catalog) -> DataLossDetector:
    """What the archive knows of the journal."""
    known = next((each.progress for each in reversed(catalog.manifests) if each.progress), {})
    began, cursor = known.get("began"), known.get("cursor")
    return DataLossDetector(
        began=parse_position(began) if began else None,
        top=catalog.end,
        cursor=int(cursor.partition("-")[0]) if cursor else None,
        first=known.get("first"),
    )


class JournalWatch:
    """`name` identifies this process in the reports of losses."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        catalog: Catalog,
        keep_mark: Callable[[], Awaitable[None]],
        *,
        name: str,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._catalog = catalog
        self._keep_mark = keep_mark
        self._name = name
        self._is_behind = False

    async def run(self) -> None:
        """Check until cancelled. Raises redis-py's errors."""
        detector = remembered(self._catalog)
        while True:
            tip = await check_journal(self._redis, self._keys, detector, name=self._name)
            if detector.lost and detector.cursor is None and tip.cursor is None:
                detector.adopt(tip)  # no indexer ever ran: nobody will announce the loss
            self._report(tip.top < self._catalog.end, str(tip.top))
            if await read_mark(self._redis, self._keys) is None:  # lost together with all else
                await self._keep_mark()
            await asyncio.sleep(_INTERVAL)

    def _report(self, is_behind: bool, top: str) -> None:
        metrics.ALARM.labels("behind").set(is_behind)
        if is_behind and not self._is_behind:
            meaning = "Redis lost events that the archive has: see docs/operations/archive.md"
            log.error("journal_behind", top=top, archived=str(self._catalog.end), meaning=meaning)
        self._is_behind = is_behind
