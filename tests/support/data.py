"""A namespace whose data began long ago, so that tokens made before a test are good in it."""

from __future__ import annotations

from redis.asyncio import Redis

from shared.journal.keys import Keys


async def begun_long_ago(redis: Redis, keys: Keys) -> None:
    """Give the namespace an epoch, unless it has one."""
    await redis.set(keys.epoch, 1_000_000, nx=True)
