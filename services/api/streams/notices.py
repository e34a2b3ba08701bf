"""Notices that a stream runs out: `stream.running_low` 48 h and 24 h before, `stream.depleted`.

Every commit updates a schedule with the next notice of each stream (shared.journal.indexes). So no
process has to search all streams. The replica that holds the lease publishes the notices that are
due. The lease only saves the other replicas the work. Even if several replicas try, a notice is
published once, because each notice is a commit. The commit checks the version of the stream and
sets the stream's `ending`. If the version has changed, the committer reads the stream again.

A replica whose own clock differs from Redis' clock publishes nothing.

See docs/decisions/0018-notices-from-a-schedule.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

import structlog
from redis.asyncio import Redis

from services.api.metrics import NOTICES
from services.api.streams.clock import StreamClock
from shared.domain import commands
from shared.domain.events import Event, Origin
from shared.domain.stream import Stream
from shared.journal.commit import Committer
from shared.journal.commit_errors import ContentionError
from shared.journal.reader import Journal
from shared.journal.stream_indexes import StreamIndexes
from shared.redis.client import REDIS_UNAVAILABLE
from shared.redis.lease import Lease

log = structlog.get_logger()

CHECK_INTERVAL = 0.5
"""Seconds between two checks of the schedule."""

LEASE_SECONDS = 5.0
"""If the replica with the lease dies, another replica takes over after this many seconds."""

PAGE_SIZE = 50
"""The largest number of streams in one commit."""


class StreamNotices:
    """Publishes the notices of one namespace, from one replica."""

    def __init__(
        self,
        redis: Redis,
        committer: Committer,
        journal: Journal,
        clock: StreamClock,
        unsafe_reason: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`unsafe_reason` returns the reason why no notice may be published now, or None."""
        self._unsafe_reason = unsafe_reason
        self._indexes = StreamIndexes(redis, committer.keys)
        self._committer = committer
        self._journal = journal
        self._clock = clock
        self._lease = Lease(redis, committer.keys.schedule_lease, seconds=LEASE_SECONDS)

    async def run(self) -> None:
        """Until cancelled: take or renew the lease, and publish due notices while it is ours."""
        while True:
            if self._unsafe_reason():
                await self.release()  # so that a replica with a correct clock can publish
            elif await self.take_lease():
                await self.publish_due()
            await asyncio.sleep(CHECK_INTERVAL)

    async def take_lease(self) -> bool:
        """Take or renew the lease. Returns True if this replica now holds it."""
        return await self._lease.take()

    async def release(self) -> None:
        """Give up the lease. If Redis does not answer, the lease expires by itself."""
        with suppress(*REDIS_UNAVAILABLE):
            await self._lease.release()

    async def publish_due(self) -> int:
        """Publish all notices that are due. Returns their number. Raises JournalBehindError."""
        published = 0
        for origin in Origin:
            while count := await self._publish_page(origin):
                published += count
                if not await self.take_lease():
                    return published
        return published

    async def _publish_page(self, origin: Origin) -> int:
        now = self._clock.of(origin, await self._journal.tip())
        due = await self._indexes.due(origin, now, PAGE_SIZE)
        try:
            return await self._publish(due, now) if due else 0
        except ContentionError:  # one stream changes too often: publish each stream alone
            return sum([await self._publish([stream_id], now) for stream_id in due])

    async def _publish(self, stream_ids: Sequence[str], now: int) -> int:
        committed = await self._committer.change(stream_ids, partial(_due_notices, now=now))
        for write in committed.writes:
            NOTICES.labels(write.event.type).inc()
        return len(committed.writes)


def _due_notices(stored: Mapping[str, Stream | None], *, now: int) -> list[Event]:
    return [
        event for stream in stored.values() if stream for event in commands.due_notices(stream, now)
    ]
