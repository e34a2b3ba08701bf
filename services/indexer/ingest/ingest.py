"""Ingest: read batches from a source, commit them, and move the cursor with each commit.

See docs/decisions/0024-lost-ledgers-are-an-event.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing

import orjson
import structlog
from redis.asyncio import Redis

from services.indexer import metrics
from services.indexer.ingest.gap import gap_event
from services.indexer.ingest.gap_confirmation import GapConfirmation
from services.indexer.ingest.network_reset import Checkpoint
from services.indexer.ingest.prefetch import prefetch
from services.indexer.ingest.progress_bar import BackfillProgress
from services.indexer.ingest.redis_recovery import FailoverRecovery
from services.indexer.ingest.startup import ClaimNamespace, IngestStartup
from services.indexer.sources.base import Batch, Source, SourceGapError
from services.indexer.sources.ledger_range import cursor_before, next_ledger
from shared.chain.errors import SourceError
from shared.domain.events import EventType
from shared.domain.instant import unix_seconds
from shared.journal.commit import CommitResult, Committer
from shared.journal.keys import Keys
from shared.journal.losses import DataLossDetector
from shared.journal.progress import progress_fields
from shared.redis.clock import Clock
from shared.runtime.tasks import backoff
from shared.web.probes import Readiness

log = structlog.get_logger()

_STABLE_SECONDS = 5.0
"""After a connection of at least this many seconds, the waits start at the shortest again."""

_AUDITED = {
    EventType.CONTRACT_UPGRADED,
    EventType.CONTRACT_STATE_MIGRATED,
    EventType.CHAIN_UNKNOWN,
}
"""An audit follows these events: after them, stored streams may be wrong."""


class Ingest:
    """Reads one source and commits its events, until cancelled."""

    def __init__(
        self,
        source: Source,
        committer: Committer,
        redis: Redis,
        keys: Keys,
        readiness: Readiness,
        *,
        start: str,
        max_wait: float,
        stop_at_gap: bool = False,
        recovery: FailoverRecovery | None = None,
        clock: Clock = time.time,
        claim: ClaimNamespace | None = None,
        loss_detector: DataLossDetector | None = None,
        audit_soon: Callable[[], None] = lambda: None,
        on_gap: Callable[[], None] = lambda: None,
    ) -> None:
        """`stop_at_gap`: raise SourceGapError instead of publishing the gap.

        `audit_soon` is called when stored streams may be wrong: after a gap, an event that could
        not be decoded or is not known, or a change of the contract or its storage. `clock`: returns
        the time of Redis in Unix seconds. `max_wait`: the longest wait in seconds before a failed
        source is tried again. `on_gap` is called after a gap was committed.
        """
        self._clock = clock
        self._audit_soon = audit_soon
        self._on_gap = on_gap
        self.commit_lock = asyncio.Lock()
        self.checkpoint = Checkpoint(redis, keys, committer)
        self.startup = IngestStartup(
            redis,
            keys,
            committer,
            readiness,
            loss_detector or DataLossDetector(),
            clock=clock,
            claim=claim,
        )
        self._source = source
        self._committer = committer
        self._readiness = readiness
        self._start = start
        self._max_wait = max_wait
        self._stop_at_gap = stop_at_gap
        self._waits = self._new_waits()
        self._opened_at: float | None = None
        self._backfill = BackfillProgress()
        self._recovery = recovery or FailoverRecovery()
        self._gap_confirmation = GapConfirmation()

    async def run(self) -> None:
        """Run until cancelled. Raises FatalSourceError, and the errors of Committer.record."""
        cursor: int | None = None
        self._recovery.restart()
        try:
            while True:
                try:
                    if cursor is None:
                        cursor = await self.startup.cursor(self._source, self._start)
                    await self.checkpoint.compare(self._source)
                    async with aclosing(prefetch(self._source.batches(cursor))) as batches:
                        async for batch in batches:
                            await self._commit(batch, cursor)
                            cursor = batch.cursor
                except SourceGapError as gap:
                    assert cursor is not None, "only reading finds a gap"
                    if confirmed_gap := self._gap_confirmation.confirm(cursor, gap):
                        cursor = await self._publish_gap(confirmed_gap)
                    else:
                        await self._wait(SourceError("missing", f"{gap}; they are requested again"))
                except SourceError as error:
                    await self._wait(error)
        finally:
            self._backfill.close()

    def opened(self) -> None:
        """Note that the source has the ledgers after the cursor. The source calls this method."""
        self._readiness.set("source", None)
        if self._opened_at is None:
            self._opened_at = time.monotonic()

    def _new_waits(self) -> Iterator[float]:
        return backoff(max_wait=self._max_wait)

    async def _wait(self, error: SourceError) -> None:
        """Wait before the next try.

        The waits grow. After a connection of at least _STABLE_SECONDS, they start at the shortest
        again, even if the connection brought no event. A shorter connection does not restart the
        waits: otherwise a server that closes each connection at once would always be asked again
        after the shortest wait.
        """
        opened_at, self._opened_at = self._opened_at, None
        if opened_at is not None and time.monotonic() - opened_at >= _STABLE_SECONDS:
            self._waits = self._new_waits()
        seconds = next(self._waits)
        metrics.SOURCE_ERRORS.labels(error.kind).inc()
        self._readiness.set("source", str(error))
        seconds = max(seconds, error.retry_after or 0.0)
        log.warning("source_failed", error=str(error), kind=error.kind, wait=round(seconds, 2))
        await asyncio.sleep(seconds)

    async def _publish_gap(self, gap: SourceGapError) -> int:
        """Publish a gap that no source can fill; returns the cursor after the gap."""
        if self._stop_at_gap:
            raise gap
        cursor = cursor_before(gap.oldest)
        event = gap_event(gap, int(self._clock()))
        progress = progress_fields(cursor=cursor, lost=cursor)
        result = await self._committer.record([event], progress=progress)
        _count_events(result)
        metrics.ALARM.labels(gap.kind).set(1)
        metrics.MISSING.labels("lost").inc(gap.oldest - gap.first)
        metrics.SOURCE_ERRORS.labels(gap.kind).inc()
        self._readiness.note(gap.kind, f"{gap}; clients were informed")
        log.error("gap", error=str(gap), first=gap.first, last=gap.last, **event.facts)
        self._on_gap()
        self._audit_soon()
        return cursor

    async def _commit(self, batch: Batch, after: int) -> None:
        progress = progress_fields(cursor=batch.cursor)
        if batch.closed_at is not None:
            progress |= progress_fields(ledger=batch.ledger, closed_at=batch.closed_at)
        dead = [orjson.dumps(letter) for letter in batch.dead]
        caught_up = self._recovery.is_caught_up(batch.cursor, batch.latest)
        events = batch.events
        if caught_up and (reset := await self.startup.reset_event(batch.cursor)):
            events, progress = (
                [*events, reset],
                progress | progress_fields(last_reset=reset.position),
            )
        async with self.commit_lock:
            result = await self._committer.record(
                events, progress=progress, dead=dead, after=after, caught_up=caught_up
            )
        if batch.dead or any(event.type in _AUDITED for event in events):
            self._audit_soon()
        self.startup.committed(result.positions, batch.cursor)
        _count_events(result)
        for letter in batch.dead:
            metrics.DEAD_LETTERS.inc()
            log.error("dead_letter", **letter)
        closed = batch.closed_at and unix_seconds(batch.closed_at)
        ledger = max(batch.ledger, next_ledger(batch.cursor) - 1)
        metrics.record_commit(ledger, closed or None, batch.latest)
        self._backfill.update(ledger, batch.latest, len(result.writes))
        self._readiness.set("source", None)
        self._waits = self._new_waits()


def _count_events(result: CommitResult) -> None:
    for write in result.writes:
        metrics.EVENTS.labels(write.event.type).inc()
    metrics.SEEN.inc(result.seen)
