"""The part of an indexer that reads and commits, inside the test's process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from services.indexer.ingest.ingest import Ingest
from services.indexer.ingest.redis_recovery import FailoverRecovery
from shared.journal.commit import Committer
from shared.journal.commit_errors import CursorMovedError
from shared.journal.keys import Keys
from shared.journal.losses import DataLossDetector
from shared.journal.wire import JournalEntry
from shared.runtime.tasks import cancel
from shared.web.probes import Readiness
from tests.indexer.simulated import Sim, journal
from tests.support.waiting import until


class Process:
    """The part of an indexer that reads and commits; its `loss_detector` ends with it."""

    def __init__(self, sim: Sim, redis: Redis, keys: Keys) -> None:
        self.sim, self.redis, self.keys = sim, redis, keys
        self.loss_detector, self.recovery, self.readiness = (
            DataLossDetector(),
            FailoverRecovery(),
            Readiness("source"),
        )

    @asynccontextmanager
    async def running(self, start: str = "latest") -> AsyncIterator[None]:
        task = asyncio.create_task(self._lead(start))
        try:
            yield
        finally:
            await cancel(task)

    async def _lead(self, start: str) -> None:
        while True:
            ingest = Ingest(
                self.sim.horizon(),
                Committer(self.redis, self.keys),
                self.redis,
                self.keys,
                self.readiness,
                start=start,
                max_wait=0.02,
                recovery=self.recovery,
                loss_detector=self.loss_detector,
            )
            hearing = asyncio.create_task(ingest.startup.watch_reports())
            try:
                await ingest.run()
            except CursorMovedError:  # as services.indexer.app does
                continue
            finally:
                await cancel(hearing)

    async def caught_up(self) -> None:
        async def is_there() -> bool:
            return int(await self.redis.hget(self.keys.progress, "cursor") or -1) >= self.sim.tip

        await until(is_there, seconds=15, what="the tip")

    async def announced(self) -> None:
        async def is_told() -> bool:
            self.sim.close()  # until the loss is announced
            return bool(await self.redis.hget(self.keys.progress, "told"))

        await until(is_told, seconds=15, what="journal.reset")
        await self.caught_up()

    async def entries(self) -> list[JournalEntry]:
        return await journal(self.redis, self.keys)

    async def flush(self) -> None:
        names = [n async for n in self.redis.scan_iter(f"headrace:{{{self.keys.namespace}}}:*")]
        await self.redis.delete(*names)
