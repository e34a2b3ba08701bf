"""What the active archiver does every few minutes: merge, delete what is too old, and sweep."""

from __future__ import annotations

import asyncio

import structlog

from services.archiver import metrics
from services.archiver.merging import merge_all
from services.archiver.retention import delete_expired
from services.archiver.sweeping import Sweeping
from shared.archive.catalog import Catalog
from shared.archive.errors import ArchiveUnavailableError, DamagedArchiveError
from shared.redis.clock import Clock

log = structlog.get_logger()

_EVERY_SECONDS = 300.0


class Housekeeping:
    """Has a catalog of its own: that of the archiving must never be older than its last segment."""

    def __init__(
        self, catalog: Catalog, clock: Clock, *, keep_days: int, seed: str | None = None
    ) -> None:
        self._catalog = catalog
        self._clock = clock
        self._keep_days = keep_days
        self._seed = seed
        self._sweeping = Sweeping(catalog)

    async def run(self) -> None:
        """Keep house until cancelled."""
        time = asyncio.get_running_loop().time
        while True:
            try:
                await self.once(time())
            except ArchiveUnavailableError as error:
                metrics.STORE_ERRORS.inc()
                log.warning("housekeeping_failed", error=str(error))
            except DamagedArchiveError as error:
                metrics.ALARM.labels("damaged").set(1)
                log.error("archive_damaged", error=str(error))
            await asyncio.sleep(_EVERY_SECONDS)

    async def once(self, now: float) -> None:
        """One round. `now` is a time that only goes forward, for the sweep."""
        await self._catalog.refresh()
        await delete_expired(self._catalog, self._clock(), self._keep_days)
        await self._catalog.refresh()
        await merge_all(self._catalog, self._clock(), seed=self._seed)
        await self._catalog.refresh()
        await self._sweeping.sweep(now)
