"""The turns of an archiver: it waits for the lease, archives and keeps house, until an error.

The lease only saves work: of two archivers, the store lets one continue after a position. An
archiver whose store is away gives the lease up after a while, because the settings of a standby may
be right. It takes the lease again when its store answers, and takes a write.

See docs/decisions/0125-an-archiver-gives-up-its-lease.md.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog
from redis.asyncio import Redis

from services.archiver import metrics
from services.archiver.archiving import Archiving
from services.archiver.housekeeping import Housekeeping
from services.archiver.patience import PatientStore
from services.archiver.settings import ArchiverSettings
from services.archiver.store_check import check_store
from services.archiver.watching import JournalWatch
from shared.archive.catalog import Catalog
from shared.archive.mark import ArchiveMark, read_mark
from shared.archive.store import ArchiveStore
from shared.domain.position import START
from shared.journal.keys import Keys
from shared.redis.client import RedisError
from shared.redis.clock import RedisClock
from shared.redis.lease import Lease
from shared.runtime.tasks import ExpectedRestart, run_until_first
from shared.web.probes import Readiness

log = structlog.get_logger()

_PATIENCE = 3
"""After so many times the lease's length without an answer of the store, the lease is given up."""
_FLUSH_SECONDS = 10.0
"""Until an archiver that stops gives up the events that it has read and not written."""


class ArchiverLeaseLostError(ExpectedRestart):
    """The lease was lost, so this archiver becomes a standby again."""


def archiver_lease(redis: Redis, keys: Keys, seconds: float) -> Lease:
    """The lease of the active archiver. Commands that write to the archive take it too."""
    return Lease(redis, keys.archiver_lease, seconds=seconds)


class Turns:
    """The turns of one process. It remembers from one turn to the next if its store is away."""

    def __init__(
        self, settings: ArchiverSettings, redis: Redis, readiness: Readiness, clock: RedisClock
    ) -> None:
        self._settings = settings
        self._redis = redis
        self._readiness = readiness
        self._clock = clock
        self._pause = settings.archive_lease_seconds / 4
        most = _PATIENCE * settings.archive_lease_seconds
        self._patient = PatientStore(readiness, patience=most)
        self._archiving: Archiving | None = None

    async def take_turn(self) -> None:
        """Wait for the lease, then archive until an error."""
        keys, seconds = self._settings.keys, self._settings.archive_lease_seconds
        lease = archiver_lease(self._redis, keys, seconds)
        try:
            if self._patient.is_away:
                await self._patient.until_back(self._check_store)
            await self._wait_for(lease)
            log.info("active", token=lease.token)
            metrics.ACTIVE.set(1)
            await run_until_first(self._archive(lease.token), self._keep(lease))
        except (RedisError, OSError) as error:
            self._readiness.set("redis", f"Redis does not answer: {error}")
            raise
        finally:
            metrics.ACTIVE.set(0)
            with suppress(RedisError, OSError):  # the lease then expires by itself
                await lease.release()

    async def _check_store(self) -> None:
        mark = await read_mark(self._redis, self._settings.keys)
        self._readiness.set("redis", None)
        await check_store(self._open(mark), mark)
        if mark and self._archiving:
            self._archiving.forget_archived(mark.position)  # by another archiver

    async def _wait_for(self, lease: Lease) -> None:
        while not await lease.take():
            self._readiness.set("redis", None)
            self._readiness.set("archive", None)  # a standby uses no store, so none can fail
            await asyncio.sleep(self._pause / 2)
        self._readiness.set("redis", None)

    async def _keep(self, lease: Lease) -> None:
        while await lease.renew():  # noqa: ASYNC110 - the lease is in Redis, not in this process
            await asyncio.sleep(self._pause)
        raise ArchiverLeaseLostError("the lease expired before it was renewed")

    async def _archive(self, token: str) -> None:
        settings, seed = self._settings, self._settings.seed
        store = self._open(await read_mark(self._redis, settings.keys))
        catalog = Catalog(store)
        archiving = self._archiving = Archiving(
            self._redis,
            settings.keys,
            catalog,
            self._patient,
            segment_bytes=settings.archive_segment_bytes,
            seconds=settings.archive_seconds,
            seed=seed,
            token=token,
        )
        keep_days = settings.archive_keep_days
        housekeeping = Housekeeping(Catalog(store), self._clock, keep_days=keep_days, seed=seed)
        watch = JournalWatch(self._redis, settings.keys, catalog, archiving.keep_mark, name=token)
        metrics.measure_lag(lambda: archiving.oldest, self._clock.now)
        await archiving.start()
        try:
            await run_until_first(archiving.run(), housekeeping.run(), watch.run())
        finally:
            with suppress(Exception):  # what is not written is still in the journal
                async with asyncio.timeout(_FLUSH_SECONDS):
                    await archiving.flush()

    def _open(self, mark: ArchiveMark | None) -> ArchiveStore:
        is_new = mark is None or mark.position == START
        url, namespace = self._settings.archive_url, self._settings.keys.namespace
        return ArchiveStore(url, namespace, makes_folder=is_new)
