"""What the active indexer runs at the same time: the ingest, and jobs beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial

import aiohttp
from redis.asyncio import Redis

from services.indexer import metrics
from services.indexer.ingest.ingest import Ingest
from services.indexer.ingest.reconcile import Reconciliation
from services.indexer.ingest.redis_recovery import FailoverRecovery
from services.indexer.ingest.startup import ClaimNamespace
from services.indexer.settings import IndexerSettings
from services.indexer.sources import factory
from services.indexer.sources.base import Source
from services.indexer.sources.failover.source import FailoverSource
from services.indexer.sources.rpc.version import watch_version
from services.indexer.sources.upstream import UpstreamVersions
from services.indexer.state.factory import create_audit
from services.indexer.state.gap_marks import GapMarks
from services.indexer.tokens.reader import create_token_reader
from shared.chain.rpc import RpcClient
from shared.journal.commit import Committer
from shared.journal.commit_errors import FencedError
from shared.journal.losses import DataLossDetector
from shared.redis.clock import RedisClock
from shared.runtime.tasks import keep_running
from shared.web.probes import Readiness

_LONGEST_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class ProcessParts:
    """What lives as long as the process. The jobs below live as long as the lease is held."""

    settings: IndexerSettings
    redis: Redis
    session: aiohttp.ClientSession
    readiness: Readiness
    recovery: FailoverRecovery
    clock: RedisClock
    loss_detector: DataLossDetector
    upstream: UpstreamVersions


def active_jobs(
    parts: ProcessParts, committer: Committer, *, claim: ClaimNamespace
) -> Iterator[Coroutine[None, None, None]]:
    """Create the coroutines that the active indexer runs at the same time.

    If one of them ends or raises, all end. The optional jobs raise only if the lease was lost.
    """
    settings, redis, session = parts.settings, parts.redis, parts.session
    # `ingest` is created after the source; the source calls the lambda only later.
    source = _create_source(parts, lambda: ingest.opened())  # noqa: PLW0108
    ingest = Ingest(
        source,
        committer,
        redis,
        settings.keys,
        parts.readiness,
        start=settings.start,
        max_wait=settings.source_wait_seconds,
        stop_at_gap=settings.on_gap == "stop",
        recovery=parts.recovery,
        clock=parts.clock,
        claim=claim,
        loss_detector=parts.loss_detector,
        audit_soon=lambda: audit.soon() if audit else None,
        on_gap=lambda: gap_marks.soon(),  # noqa: PLW0108 - it is created later
    )
    gap_marks = GapMarks(committer, redis, settings.keys, parts.clock)
    yield optional("gap_marks", gap_marks.run)
    audit = create_audit(
        settings,
        session,
        committer,
        redis,
        readiness=parts.readiness,
        lock=ingest.commit_lock,
        clock=parts.clock,
        upstream=parts.upstream,
    )
    if audit:
        yield optional("audit", audit.run)
    if tokens := create_token_reader(settings, session, redis, parts.clock):
        yield optional("tokens", tokens.run)
    yield ingest.run()
    yield ingest.startup.watch_reports()
    yield ingest.checkpoint.store_regularly(source)
    if settings.rpc_url:
        rpc = RpcClient(session, settings.rpc_url)
        yield optional("rpc_version", partial(watch_version, rpc, parts.upstream))
    if isinstance(source, FailoverSource) and settings.reconcile_seconds:
        yield optional("reconciliation", _reconciliation(parts, source).run)


def optional(
    name: str, run: Callable[[], Awaitable[None]], first_wait: float = 1.0
) -> Coroutine[None, None, None]:
    """A job whose failures do not stop the ingest: they are logged, counted, and it is tried again.

    The waits before a retry grow from `first_wait` to _LONGEST_WAIT seconds. Raises FencedError:
    another indexer is active.
    """
    return keep_running(
        name, run, fatal=(FencedError,), first_wait=first_wait, max_wait=_LONGEST_WAIT
    )


def _reconciliation(parts: ProcessParts, source: FailoverSource) -> Reconciliation:
    settings = parts.settings
    both = factory.create_both(settings, parts.session, lambda: None, parts.upstream)
    return Reconciliation(
        source,
        both,
        parts.redis,
        settings.keys,
        parts.readiness,
        seconds=settings.reconcile_seconds,
    )


def _create_source(parts: ProcessParts, opened: Callable[[], None]) -> Source:
    settings = parts.settings
    if settings.source != "auto":  # for `auto`, FailoverSource sets this metric
        metrics.SOURCE.labels(settings.source).set(1)
    return factory.create_source(settings, parts.session, opened, parts.upstream)
