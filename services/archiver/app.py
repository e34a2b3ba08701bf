"""The archiver's composition root: creates the parts of the service and connects them.

The archiver waits for the lease. While it holds the lease, it archives and keeps house. The lease
only saves work: of two archivers, the store lets one continue after a position.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

import structlog
from aiohttp import web
from redis.asyncio import Redis

from services.archiver import metrics
from services.archiver.archiving import Archiving
from services.archiver.errors import ForeignArchiveError
from services.archiver.housekeeping import Housekeeping
from services.archiver.patience import PatientStore
from services.archiver.settings import ArchiverSettings
from services.archiver.watching import JournalWatch
from shared.archive.catalog import Catalog
from shared.archive.errors import DamagedArchiveError
from shared.archive.store import ArchiveStore
from shared.journal.keys import Keys
from shared.journal.namespace import NamespaceWatch
from shared.redis.client import RedisError, connect
from shared.redis.clock import RedisClock
from shared.redis.lease import Lease
from shared.runtime.tasks import ExpectedRestart, cancel, run_until_first, supervise
from shared.web.probes import Readiness, add_probes
from shared.web.problems import problem_middleware

log = structlog.get_logger()

FATAL = (ForeignArchiveError, DamagedArchiveError)
_FLUSH_SECONDS = 10.0
"""Until an archiver that stops gives up the events that it has read and not written."""


class ArchiverLeaseLostError(ExpectedRestart):
    """The lease was lost, so this archiver becomes a standby again."""


def archiver_lease(redis: Redis, keys: Keys, seconds: float) -> Lease:
    """The lease of the active archiver. Commands that write to the archive take it too."""
    return Lease(redis, keys.archiver_lease, seconds=seconds)


def build_app(settings: ArchiverSettings) -> web.Application:
    """Build the whole service. No task runs until the app starts."""
    app = web.Application(middlewares=[problem_middleware])
    components = ("redis", "archive", "clock", "namespace")
    readiness = Readiness(*components, namespace=settings.keys.namespace)
    clock = RedisClock()
    add_probes(app, readiness)

    async def background(_: web.Application) -> AsyncIterator[None]:
        redis = connect(settings.redis_url, slot_key=settings.keys.slot_key)
        watch = NamespaceWatch(redis, settings, clock, readiness, begins=False)
        await watch.check_first()
        tasks = (
            supervise(
                "archiver",
                lambda: _run_active(settings, redis, readiness, clock),
                fatal=FATAL,
                on_fatal=lambda error: _report_fatal(error, readiness),
            ),
            supervise("namespace", watch.run, max_wait=1.0),
        )
        yield
        await cancel(*tasks)
        await redis.aclose()

    app.cleanup_ctx.append(background)
    return app


def _report_fatal(error: Exception, readiness: Readiness) -> None:
    """Set the alarm; the process stays, but is not ready. A restart loop would hide the error."""
    kind = "owner" if isinstance(error, ForeignArchiveError) else "damaged"
    metrics.ALARM.labels(kind).set(1)
    readiness.set("archive", f"stopped: {error}")


async def _run_active(
    settings: ArchiverSettings, redis: Redis, readiness: Readiness, clock: RedisClock
) -> None:
    """Wait for the lease, then archive until an error."""
    lease = archiver_lease(redis, settings.keys, settings.archive_lease_seconds)
    pause = settings.archive_lease_seconds / 4
    try:
        while not await lease.take():
            readiness.set("redis", None)
            readiness.set("archive", None)  # a standby uses no store, so none can fail
            await asyncio.sleep(pause / 2)
        readiness.set("redis", None)
        log.info("active", token=lease.token)
        metrics.ACTIVE.set(1)
        work = _archive(settings, redis, readiness, clock, token=lease.token)
        await run_until_first(work, _keep_lease(lease, pause))
    except (RedisError, OSError) as error:
        readiness.set("redis", f"Redis does not answer: {error}")
        raise
    finally:
        metrics.ACTIVE.set(0)
        with suppress(RedisError, OSError):  # the lease then expires by itself
            await lease.release()


async def _archive(
    settings: ArchiverSettings, redis: Redis, readiness: Readiness, clock: RedisClock, *, token: str
) -> None:
    keys, seed = settings.keys, settings.seed
    patient = PatientStore(readiness)
    store = await patient.call(partial(_open_store, settings))
    catalog = Catalog(store)
    archiving = Archiving(
        redis,
        keys,
        catalog,
        patient,
        segment_bytes=settings.archive_segment_bytes,
        seconds=settings.archive_seconds,
        seed=seed,
        token=token,
    )
    keep_days = settings.archive_keep_days
    housekeeping = Housekeeping(Catalog(store), clock, keep_days=keep_days, seed=seed)
    watch = JournalWatch(redis, keys, catalog, archiving.keep_mark, name=token)
    metrics.measure_lag(lambda: archiving.oldest, clock.now)
    await archiving.start()
    try:
        await run_until_first(archiving.run(), housekeeping.run(), watch.run())
    finally:
        with suppress(Exception):  # what is not written is still in the journal
            async with asyncio.timeout(_FLUSH_SECONDS):
                await archiving.flush()


async def _open_store(settings: ArchiverSettings) -> ArchiveStore:
    return ArchiveStore(settings.archive_url, settings.keys.namespace)


async def _keep_lease(lease: Lease, pause: float) -> None:
    while await lease.renew():  # noqa: ASYNC110 - the lease is in Redis, not in this process
        await asyncio.sleep(pause)
    raise ArchiverLeaseLostError("the lease expired before it was renewed")
