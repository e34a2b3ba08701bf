"""Ingest: from the source to the journal, the cursor moving only with what was kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from datetime import datetime

import orjson
import structlog
from redis.asyncio import Redis

from services.indexer import metrics
from services.indexer.sources import Batch, Source, SourceError
from shared.commit import Committer
from shared.keys import Keys
from shared.probes import Readiness
from shared.tasks import backoff

log = structlog.get_logger()


class Ingest:
    """Reads one source for as long as it runs."""

    def __init__(
        self,
        source: Source,
        committer: Committer,
        redis: Redis,
        keys: Keys,
        readiness: Readiness,
        *,
        start: str,
        most_wait: float,
    ) -> None:
        self._source = source
        self._committer = committer
        self._redis = redis
        self._keys = keys
        self._readiness = readiness
        self._start = start
        self._most_wait = most_wait

    async def run(self) -> None:
        """Until cancelled. Raises SourceFatal, and what the commit raises."""
        waits = self._waits()
        cursor: int | None = None
        while True:
            try:
                if cursor is None:
                    cursor = await self._cursor()
                async with aclosing(self._source.batches(cursor)) as batches:
                    async for batch in batches:
                        await self._keep(batch)
                        cursor = batch.cursor
                        self._readiness.set("source", None)
                        waits = self._waits()
            except SourceError as error:
                await self._wait(error, next(waits))

    def _waits(self) -> Iterator[float]:
        return backoff(most=self._most_wait)

    async def _wait(self, error: SourceError, seconds: float) -> None:
        metrics.SOURCE_ERRORS.labels(error.kind).inc()
        self._readiness.set("source", str(error))
        seconds = max(seconds, error.retry_after or 0.0)
        log.warning("source_failed", error=str(error), kind=error.kind, wait=round(seconds, 2))
        await asyncio.sleep(seconds)

    async def _cursor(self) -> int:
        """Where the journal's progress says, else where START says; the latter is kept at once."""
        stored = await self._redis.hget(self._keys.progress, "cursor")
        if stored is not None:
            cursor = int(stored)
            log.info("resuming", cursor=cursor, ledger=cursor >> 32)
            return cursor
        cursor = await self._source.start(self._start)
        await self._committer.record([], progress={"cursor": str(cursor)})
        log.info("starting", start=self._start, cursor=cursor, ledger=cursor >> 32)
        return cursor

    async def _keep(self, batch: Batch) -> None:
        progress = {
            "cursor": str(batch.cursor),
            "ledger": str(batch.ledger),
            "closedAt": batch.closed_at,
        }
        dead = [orjson.dumps(letter) for letter in batch.dead]
        done = await self._committer.record(batch.events, progress=progress, dead=dead)
        for write in done.writes:
            metrics.EVENTS.labels(write.event.type).inc()
        metrics.SEEN.inc(done.seen)
        metrics.CURSOR_LEDGER.set(batch.ledger)
        metrics.LEDGER_CLOSED.set(datetime.fromisoformat(batch.closed_at).timestamp())
        for letter in batch.dead:
            metrics.DEAD_LETTERS.inc()
            log.error("dead_letter", **letter)
