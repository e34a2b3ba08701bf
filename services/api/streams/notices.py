"""Telling about the ends of streams: `stream.running_low` 48 h and 24 h before, `stream.depleted`.

Every commit keeps a schedule of what is to be told next (shared.journal.indexes), so nobody looks
through streams. One replica at a time works it off, by a lease that only saves the others the work:
each notice is a commit on the stream's version and moves the stream's `ending`, so it comes once
however many try, and one that was prepared for an end that has moved meanwhile is decided anew.
Time is Redis' time; a replica whose machine's clock differs publishes nothing.
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
from shared.journal.commit import Committer, ContentionError
from shared.journal.indexes import notice_schedule
from shared.journal.reader import Journal
from shared.redis.client import REDIS_UNAVAILABLE
from shared.redis.lease import Lease

log = structlog.get_logger()

CHECK_INTERVAL = 0.5
"""Seconds between two looks at the schedule."""

LEASE_SECONDS = 5.0
"""Seconds until another replica takes over from one that is gone."""

PAGE_SIZE = 50
"""Streams told about in one commit."""


class StreamNotices:
    """The schedule of one namespace, seen from one replica."""

    def __init__(
        self,
        redis: Redis,
        committer: Committer,
        journal: Journal,
        times: StreamClock,
        doubt: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`doubt` returns why no notice may be published, or None: a notice cannot be undone."""
        self._doubt = doubt
        self._redis = redis
        self._committer = committer
        self._journal = journal
        self._times = times
        self._lease = Lease(redis, committer.keys.schedule_lease, seconds=LEASE_SECONDS)

    async def run(self) -> None:
        """Work off the schedule for ever, while the lease is ours."""
        while True:
            if self._doubt():
                await self.release()  # for a replica whose clock agrees with Redis'
            elif await self.take_lease():
                await self.publish_due()
            await asyncio.sleep(CHECK_INTERVAL)

    async def take_lease(self) -> bool:
        """Take or renew the lease; whether it is ours."""
        return await self._lease.take()

    async def release(self) -> None:
        """Let another replica take over at once; without Redis it does when the lease expires."""
        with suppress(*REDIS_UNAVAILABLE):
            await self._lease.release()

    async def publish_due(self) -> int:
        """Publish all that is due now; how many notices that were. Raises Behind."""
        told = 0
        for origin in Origin:
            while count := await self._tell_page(origin):
                told += count
                if not await self.take_lease():
                    return told
        return told

    async def _tell_page(self, origin: Origin) -> int:
        now = self._times.of(origin, await self._journal.tip())
        index = self._committer.keys.index(notice_schedule(origin))
        rows = await self._redis.zrange(index, "-inf", now, byscore=True, offset=0, num=PAGE_SIZE)
        due = [row.decode() for row in rows if isinstance(row, bytes)]
        try:
            return await self._tell(due, now) if due else 0
        except ContentionError:  # one of them is busy; it must not hold up the others
            return sum([await self._tell([stream_id], now) for stream_id in due])

    async def _tell(self, stream_ids: Sequence[str], now: int) -> int:
        done = await self._committer.change(stream_ids, partial(_notices, now=now))
        for write in done.writes:
            NOTICES.labels(write.event.type).inc()
        return len(done.writes)


def _notices(stored: Mapping[str, Stream | None], *, now: int) -> list[Event]:
    return [
        event for stream in stored.values() if stream for event in commands.due_notices(stream, now)
    ]
