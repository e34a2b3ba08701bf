"""The follower after a loss that is larger than what it remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from redis.asyncio import Redis

from services.webhooks.reading.following import JournalFollower, Readers
from services.webhooks.reading.recent import RecentEntries
from shared.domain.position import Position
from shared.journal.losses import DataLossDetector
from shared.journal.wire import JournalEntry
from shared.redis.client import connect
from shared.runtime.tasks import cancel
from shared.webhooks.changes import Change
from tests.support.waiting import until
from tests.webhooks.losing import lose_events
from tests.webhooks.world import World


class Reading:
    """What the follower has told."""

    def __init__(self) -> None:
        self.published: list[str] = []

    def publish(self, entry: JournalEntry) -> None:
        self.recent.append(entry)
        self.published.append(entry.position)

    def rewind(self, common: Position, lost: Sequence[JournalEntry]) -> None:
        """Nothing has been delivered here."""

    def skip(self, after: Position) -> None:
        """Nothing has been delivered here."""

    async def changed(self, changes: Sequence[Change] | None) -> None:
        """There are no endpoints."""

    async def follow(self, redis: Redis, blocking: Redis, world: World) -> JournalFollower:
        """Begin to follow, and remember two events."""
        self.recent = RecentEntries(events=2)
        follower = JournalFollower(
            redis, blocking, world.keys, self.recent, DataLossDetector(), name="test"
        )
        await follower.start()
        return follower


async def test_it_goes_on_although_the_floor_was_lost_too(
    redis: Redis, redis_url: str, world: World
) -> None:
    """The chain has come back, but the event of the API before it has not."""
    reading, blocking = Reading(), connect(redis_url)
    await world.commit(2)
    lost = await world.commit_api("one")
    gone = await world.commit(2)
    follower = await reading.follow(redis, blocking, world)
    assert str(reading.recent.floor) == lost
    await lose_events(world, [lost, *gone])
    await world.rewind(to=2)
    assert await world.commit(2) == gone
    new = await world.commit(1)
    readers = Readers(reading.publish, reading.rewind, reading.skip, reading.changed)
    task = asyncio.create_task(follower.run(readers))
    try:
        await until(lambda: reading.published == [*gone, *new])
    finally:
        await cancel(task)
        await blocking.aclose()
