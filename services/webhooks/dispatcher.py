"""The dispatcher: takes partitions, follows the journal, and delivers what it reads.

See docs/decisions/0127-webhooks-are-delivered-from-a-cursor.md,
docs/decisions/0128-webhooks-are-in-partitions.md.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Collection, Iterable, Sequence

import structlog

from services.webhooks import metrics
from services.webhooks.delivering.held import HeldEndpoint
from services.webhooks.delivering.jobs import OwnerJobs
from services.webhooks.delivering.loading import EndpointLoader
from services.webhooks.delivering.progress_writer import ProgressWriter
from services.webhooks.delivering.registry import EndpointRegistry
from services.webhooks.partitions.leases import HeldPartition, PartitionLeases
from services.webhooks.partitions.membership import Membership
from services.webhooks.partitions.sharing import PARTITIONS, surplus, wanted
from services.webhooks.reading.following import JournalFollower, Readers, RedisEmptiedError
from shared.domain.position import Position
from shared.journal.wire import JournalEntry
from shared.redis.client import RedisError
from shared.runtime.tasks import keep_running, run_until_first
from shared.webhooks.changes import Change

log = structlog.get_logger()

_SHARE_SECONDS = 0.5
"""How often a dispatcher looks for free partitions, if the leases are not shorter."""
_KEEP_SECONDS = 30.0
"""How often the positions of endpoints at rest are stored."""
_FINISH_SECONDS = 3.0
"""The most seconds until deliveries under way are cut, when a partition is handed over."""
_AT_ONCE = 500


class Dispatcher:
    """One dispatcher. `run` it once, then `close` it."""

    def __init__(
        self,
        *,
        follower: JournalFollower,
        leases: PartitionLeases,
        membership: Membership,
        registry: EndpointRegistry,
        loader: EndpointLoader,
        jobs: OwnerJobs,
        writer: ProgressWriter,
        pause: float,
    ) -> None:
        """`pause`: seconds between two renewals of the leases."""
        self._follower = follower
        self._leases = leases
        self._membership = membership
        self._registry = registry
        self._loader = loader
        self._jobs = jobs
        self._writer = writer
        self._pause = pause
        self._first = secrets.randbelow(PARTITIONS)
        self._held: dict[int, HeldPartition] = {}
        self._sharing = asyncio.Lock()
        self._resumed: set[HeldPartition] = set()  # their redeliveries have stopped
        self._closing = False

    async def run(self) -> None:
        """Deliver until cancelled. Raises RedisEmptiedError: then begin with a new dispatcher."""
        await self._follower.start()
        readers = Readers(self._registry.publish, self._rewind, self._registry.skip, self._changed)

        def follow() -> Awaitable[None]:
            self._registry.mark_unsaved()  # the connection broke, perhaps in a failover
            return self._follower.run(readers)

        await run_until_first(
            keep_running(
                "webhook_reader",
                follow,
                fatal=(RedisEmptiedError,),
                max_wait=1.0,
            ),
            keep_running("webhook_leases", self._keep_leases, max_wait=self._pause),
            keep_running("webhook_partitions", self._share_partitions, max_wait=self._pause),
            keep_running("webhook_positions", self._keep_positions),
        )

    async def close(self) -> None:
        """Hand everything over, so that others can go on at once.

        Call it while `run` still runs: it renews the leases until they are released.
        """
        self._closing = True
        async with self._sharing:
            await self._membership.leave()
            await self._hand_over(list(self._held.values()))
        await self._writer.aclose()

    def _rewind(self, common: Position, lost: Sequence[JournalEntry]) -> None:
        self._registry.rewind(common, lost)
        self._loader.rewind(common, lost)

    async def _changed(self, changes: Sequence[Change] | None) -> None:
        if changes is None:
            self._registry.mark_unsaved()
            await self._loader.reload_all()
            await self._jobs.resume(self._registry)
        else:
            held = await self._loader.reload({each.endpoint_id for each in changes})
            await self._jobs.begin(changes, held)

    async def _keep_leases(self) -> None:
        while True:
            await self._renew()
            await asyncio.sleep(self._pause)

    async def _renew(self) -> None:
        lost, resumed = await self._leases.renew(list(self._held.values()))
        for partition in resumed:
            self._registry.resume(partition)
        if lost:
            log.warning("partitions_lost", partitions=[each.number for each in lost])
        for partition in lost:
            if self._held.get(partition.number) is partition:
                del self._held[partition.number]
            await self._cut(self._loader.remember(partition))
        metrics.PARTITIONS.set(len(self._held))
        self._resumed.update(resumed)

    async def _share_partitions(self) -> None:
        while True:
            async with self._sharing:
                if not self._closing:
                    await self._share(await self._membership.renew())
                    await self._resume_jobs()
            await asyncio.sleep(min(_SHARE_SECONDS, self._pause))

    async def _resume_jobs(self) -> None:
        """Not in the loop that renews the leases: with many endpoints it can take long."""
        resumed, self._resumed = self._resumed, set()
        if not resumed:
            return
        try:
            await self._jobs.resume(self._registry.of(resumed))
        except BaseException:
            self._resumed |= resumed
            raise

    async def _share(self, members: int) -> None:
        """Give up what others should have, and take what is free."""
        if extra := surplus(self._held, members):
            await self._hand_over([self._held[number] for number in extra])
        free = await self._leases.free()
        self._loader.forget({*range(PARTITIONS)} - {*free, *self._held})
        numbers = wanted(self._held, free, members, first=self._first)
        if numbers and (taken := await self._leases.take(numbers)):
            self._held |= {each.number: each for each in taken}
            await self._load(taken)

    async def _load(self, partitions: Collection[HeldPartition]) -> None:
        try:
            await self._loader.load(partitions)
            await self._jobs.resume(self._registry.of(partitions))
        except BaseException:
            await self._hand_over(partitions)
            raise

    async def _hand_over(self, partitions: Collection[HeldPartition]) -> None:
        """Finish or cut the deliveries of these partitions, store, and release the leases."""
        gone: list[HeldEndpoint] = []
        for partition in partitions:
            gone += self._loader.remember(partition)
        await self._cut(gone, min(_FINISH_SECONDS, self._pause))
        await self._store(gone)
        for partition in partitions:
            self._held.pop(partition.number, None)
        await self._leases.release(partitions)

    async def _cut(self, endpoints: Sequence[HeldEndpoint], seconds: float = 0.0) -> None:
        """End the deliveries and the jobs of endpoints that are not ours any more."""
        running = [held.deliveries for held in endpoints if held.deliveries is not None]
        await asyncio.gather(
            self._jobs.cancel(endpoints), *(each.finish(seconds) for each in running)
        )

    async def _keep_positions(self) -> None:
        while True:
            await asyncio.sleep(_KEEP_SECONDS)
            await self._store(self._registry.at_rest())

    async def _store(self, endpoints: Iterable[HeldEndpoint]) -> None:
        """Store the positions of endpoints, first those of which Redis has an older one.

        Ends when Redis does not answer. Then the rest is stored later.
        """
        waiting = sorted(endpoints, key=lambda held: not held.is_unsaved)
        for start in range(0, len(waiting), _AT_ONCE):
            part = waiting[start : start + _AT_ONCE]
            writes = [self._writer.write(held.partition, held.next_write()) for held in part]
            written = [held.progress for held in part]
            answers = await asyncio.gather(*writes, return_exceptions=True)
            for held, progress, answer in zip(part, written, answers, strict=True):
                if answer is not True:
                    held.is_unsaved = True
                elif held.progress is progress:  # not changed by a loss in the meantime
                    held.is_unsaved = False
                if isinstance(answer, BaseException) and not isinstance(
                    answer, RedisError | OSError
                ):
                    raise answer
            if any(isinstance(answer, BaseException) for answer in answers):
                return
