"""SOURCE=auto: read one of two sources, and switch to the other one when it works better.

Both sources have the same ids and cursors. So after a switch, reading continues at the same cursor,
without loss or duplicates. A switch ends the generator of batches. Before the ingest starts the
next generator, it checks that the new source has the same history
(services.indexer.ingest.network_reset).

See docs/decisions/0026-failover-between-sources-is-sticky.md,
docs/decisions/0044-unproved-events-switch-the-source.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import structlog

from services.indexer import metrics
from services.indexer.reasons import SwitchReason
from services.indexer.sources.base import Batch, Source, SourceGapError
from services.indexer.sources.failover.policy import FailoverPolicy
from services.indexer.sources.ledger_range import check_available, next_ledger
from shared.chain.errors import FatalSourceError, SourceError
from shared.domain.position import LedgerRange
from shared.runtime.tasks import cancel

log = structlog.get_logger()

_UNABLE = {"gap", "reset", "unproved", "meta_missing"}
_UNABLE |= {"bad_request", "not_found", "not_acceptable", "before_history"}
"""Fatal errors that the other source may not have, so the indexer switches to that source.

Other fatal errors, such as `passphrase`, stop the indexer.
"""


class FailoverSource:
    """A Source that reads one of two others. It begins with the first one."""

    def __init__(self, first: Source, second: Source, *, look_seconds: float = 10.0) -> None:
        """`look_seconds`: the time between two checks of the inactive source."""
        self._sources = {each.name: each for each in (first, second)}
        self._policy = FailoverPolicy(first.name, second.name)
        self._look_seconds = look_seconds
        self._cursor = 0
        # By source: the error that says why the source cannot continue at the cursor.
        self._refusals: dict[str, FatalSourceError] = {}

    @property
    def name(self) -> str:
        """See Source."""
        return self._policy.active

    @property
    def other(self) -> str:
        """The name of the inactive source."""
        return self._policy.other

    async def ledgers(self) -> LedgerRange:
        """See Source."""
        return await self._active.ledgers()

    async def latest_hash(self) -> tuple[int, str]:
        """See Source."""
        return await self._active.latest_hash()

    async def hash_of(self, ledger: int) -> str | None:
        """See Source."""
        try:
            return await self._active.hash_of(ledger)
        except SourceError as error:
            self._switch_if_failing(error)
            raise

    async def start(self, where: str) -> int:
        """See Source. Returns the lower of both cursors; one source may lack the ledger."""
        cursors: list[int] = []
        errors: list[SourceError | FatalSourceError] = []
        for source in (self._active, self._sources[self.other]):
            try:
                cursors.append(await source.start(where))
            except (SourceError, FatalSourceError) as error:
                errors.append(error)
        final_errors = [e for e in errors if isinstance(e, FatalSourceError) and e.kind != "start"]
        if final_errors or not cursors:
            raise [*final_errors, *errors][0]
        return min(cursors)

    async def batches(self, cursor: int) -> AsyncGenerator[Batch]:
        """See Source. The generator ends at a switch."""
        self._advance(cursor)
        metrics.SOURCE.labels(self.name).set(1)
        metrics.SOURCE.labels(self.other).set(0)
        try:
            async with aclosing(self._until_stalled(cursor)) as batches:
                async for batch in batches:
                    yield batch
                    self._policy.succeeded(self.name)
        except SourceError as error:
            if not self._switch_if_failing(error):
                raise
        except FatalSourceError as error:
            if not self._switch_if_unable(error):
                raise

    # ── read the active source, check the other one ──

    async def _until_stalled(self, cursor: int) -> AsyncGenerator[Batch]:
        watcher = asyncio.create_task(self._watch())
        async with aclosing(self._active.batches(cursor)) as batches:
            next_batch: asyncio.Task[Batch] | None = None
            try:
                while True:
                    next_batch = asyncio.create_task(_next(batches))
                    await asyncio.wait((next_batch, watcher), return_when=asyncio.FIRST_COMPLETED)
                    if not next_batch.done():
                        self._switch(watcher.result(), f"{self.name} brings no new ledgers")
                        return
                    batch = next_batch.result()
                    yield batch
                    self._advance(batch.cursor)
            finally:
                await cancel(watcher, *([next_batch] if next_batch else []))

    async def _watch(self) -> SwitchReason:
        """Check the inactive source regularly; returns when there is a reason to switch to it."""
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            pause = self._look_seconds
            name, other = self.other, self._sources[self.other]
            try:
                cursors = await other.ledgers()
                check_available(name, self._cursor, cursors)
            except SourceError as error:
                self._policy.failed(name)
                log.info("other_source_failed", source=name, error=str(error))
            except FatalSourceError as error:
                if error.kind == "passphrase":
                    raise
                self._mark_unable(name, error)
                log.warning("other_source_unable", source=name, error=str(error))
            else:
                read = next_ledger(self._cursor) - 1
                if self._is_refused(name):  # the source answers, but cannot continue at the cursor
                    continue
                if reason := self._policy.compare_progress(read, self._cursor, cursors.latest):
                    return reason

    # ── decide when to switch ──

    @property
    def _active(self) -> Source:
        return self._sources[self._policy.active]

    def _switch_if_failing(self, error: SourceError) -> bool:
        """Note a failure of the active source. Returns True if the other source is now active."""
        self._policy.failed(self.name, wait=error.retry_after or 0.0)
        return self._switch_if_better(error)

    def _switch_if_unable(self, error: FatalSourceError) -> bool:
        """Note that the active source cannot continue. Returns True if the other one is now active.

        If neither source has the ledgers, switches to the source with the smaller gap and raises
        that source's gap.
        """
        if error.kind not in _UNABLE:
            return False
        self._mark_unable(self.name, error)
        if self._switch_if_better(error):
            return True
        other_error = self._refusals.get(self.other)
        if (
            isinstance(error, SourceGapError)
            and other_error
            and not _is_smaller(error, other_error)
        ):
            self._switch(SwitchReason.UNABLE, str(error))
            raise other_error
        return False

    def _advance(self, cursor: int) -> None:
        """Note the cursor. If it has moved, sources that could not continue may be tried again."""
        if cursor == self._cursor:
            return
        self._cursor = cursor
        for name in self._refusals:
            self._policy.succeeded(name)
        self._refusals.clear()

    def _is_refused(self, name: str) -> bool:
        """True if this source has the next ledger but could not continue at the cursor."""
        if name in self._refusals and self._refusals[name].kind == "reset":
            del self._refusals[name]  # the source's older database has caught up
        return name in self._refusals

    def _mark_unable(self, name: str, error: FatalSourceError) -> None:
        self._policy.mark_unable(name)
        self._refusals[name] = error
        if error.kind == "unproved":
            metrics.ALARM.labels(error.kind).set(1)

    def _switch_if_better(self, error: SourceError | FatalSourceError) -> bool:
        if reason := self._policy.reason_to_switch():
            metrics.SOURCE_ERRORS.labels(error.kind).inc()
            self._switch(reason, str(error))
        return reason is not None

    def _switch(self, reason: SwitchReason, error: str) -> None:
        self._policy.switch()
        metrics.SWITCHES.labels(self.name, reason).inc()
        log.warning("source_switched", to=self.name, why=reason, error=error, cursor=self._cursor)


def _is_smaller(gap: SourceGapError, other_error: FatalSourceError) -> bool:
    """True if this gap is not larger than the other one. False if the other error is no gap."""
    return isinstance(other_error, SourceGapError) and gap.oldest <= other_error.oldest


async def _next(batches: AsyncGenerator[Batch]) -> Batch:
    return await anext(batches)
