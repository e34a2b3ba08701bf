"""The indexer's composition root: creates the parts of the service and connects them.

The indexer waits for the lease. While it holds the lease, it runs the ingest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import structlog
from aiohttp import web

from services.indexer import metrics
from services.indexer.ingest.redis_recovery import FailoverRecovery
from services.indexer.jobs import ProcessParts, active_jobs
from services.indexer.settings import IndexerSettings
from services.indexer.sources.upstream import UpstreamVersions
from shared.chain.errors import FatalSourceError
from shared.journal.commit import Committer
from shared.journal.commit_errors import CursorMovedError, FencedError, JournalInconsistentError
from shared.journal.losses import DataLossDetector, check_journal
from shared.journal.namespace import ForeignNamespaceError, NamespaceClaim, NamespaceWatch
from shared.redis.client import RedisError, connect
from shared.redis.clock import RedisClock
from shared.redis.durability import require_durable
from shared.redis.lease import Lease
from shared.runtime.tasks import ExpectedRestart, cancel, run_until_first, supervise
from shared.web import client as http
from shared.web.probes import Readiness, add_probes
from shared.web.problems import problem_middleware
from shared.web.readiness_watch import watch_store

log = structlog.get_logger()

FATAL = (FatalSourceError, JournalInconsistentError, ForeignNamespaceError)


class LeaseLostError(ExpectedRestart):
    """The lease was lost, so this indexer becomes a standby again."""


def build_app(settings: IndexerSettings) -> web.Application:
    """Build the whole service. No task runs until the app starts."""
    app = web.Application(middlewares=[problem_middleware])
    components = ("redis", "store", "source", "clock", "namespace")
    readiness = Readiness(*components, namespace=settings.keys.namespace)
    clock = RedisClock()
    upstream = UpstreamVersions()
    readiness.note("protocol", upstream.protocol_note)
    readiness.note("rpc_too_old", lambda: upstream.refusal)
    readiness.note("lag", lambda: metrics.old_ledger_note(clock.now()))
    add_probes(app, readiness)

    async def background(_: web.Application) -> AsyncIterator[None]:
        redis = connect(settings.redis_url, slot_key=settings.keys.slot_key)
        recovery, loss_detector = FailoverRecovery(), DataLossDetector()
        namespace_watch = NamespaceWatch(redis, settings, clock, readiness, begins=True)
        metrics.measure_lag(clock.now)
        await namespace_watch.check_first()
        async with http.session() as session:
            parts = ProcessParts(
                settings, redis, session, readiness, recovery, clock, loss_detector, upstream
            )
            task = supervise(
                "indexer",
                lambda: _run_active(parts),
                fatal=FATAL,
                on_fatal=lambda error: _report_fatal(error, readiness),
            )
            durability = supervise("fitness", lambda: watch_store(readiness, redis, settings.keys))
            namespace_task = supervise("namespace", namespace_watch.run, max_wait=1.0)
            yield
            await cancel(task, durability, namespace_task)
        await redis.aclose()

    app.cleanup_ctx.append(background)
    return app


def _report_fatal(error: Exception, readiness: Readiness) -> None:
    """Set the alarm; the process stays, but is not ready. A restart loop would hide the error."""
    kind = "disorder"
    if isinstance(error, FatalSourceError):
        kind = error.kind
    elif isinstance(error, ForeignNamespaceError):
        kind = "namespace"
    metrics.ALARM.labels(kind).set(1)
    readiness.set("source", f"stopped: {error}")


async def _run_active(parts: ProcessParts) -> None:
    """Wait for the lease, then ingest until an error. A lost lease raises LeaseLostError."""
    settings, redis, readiness = parts.settings, parts.redis, parts.readiness
    keys = settings.keys
    lease = Lease(redis, keys.lease, seconds=settings.lease_seconds, fence=keys.fence)
    pause = settings.lease_seconds / 4
    claim = NamespaceClaim(redis, settings)
    try:
        await require_durable(redis, keys)
        # Check before taking the lease: taking a foreign namespace's lease would stop its indexer.
        await claim.check()
        while not await lease.take():
            readiness.set("redis", None)
            readiness.set("source", None)  # a standby reads no source, so none can fail
            await check_journal(redis, keys, parts.loss_detector, name=lease.token)
            await asyncio.sleep(pause / 2)
        await claim.hold()
        readiness.set("redis", None)
        log.info("active", token=lease.token)
        metrics.ACTIVE.set(1)
        committer = Committer(redis, keys, retention=settings.retention, token=lease.token)
        jobs = active_jobs(parts, committer, claim=partial(claim.hold, begin=True))
        await run_until_first(*jobs, _keep_lease(lease, claim, pause))
    except (FencedError, CursorMovedError) as error:
        raise LeaseLostError(str(error)) from error
    except (RedisError, OSError) as error:
        readiness.set("redis", f"Redis does not answer: {error}")
        raise
    except (*FATAL, ExpectedRestart):
        raise
    except Exception as error:
        # A bug: supervise() restarts this task. Until then, /readyz must show the error.
        readiness.set("source", f"failed: {error!r}")
        raise
    finally:
        metrics.ACTIVE.set(0)
        await _release(lease)


async def _keep_lease(lease: Lease, claim: NamespaceClaim, pause: float) -> None:
    while await lease.renew():
        await claim.hold()  # writes the claim again if Redis lost it
        await asyncio.sleep(pause)
    raise LeaseLostError("the lease expired before it was renewed")


async def _release(lease: Lease) -> None:
    try:
        await lease.release()
    except (RedisError, OSError):
        log.warning("lease_not_released", token=lease.token)  # the lease then expires by itself
