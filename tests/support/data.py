"""A namespace with an old epoch, so that tokens made before a test are valid in it."""

from __future__ import annotations

from redis.asyncio import Redis

from shared.journal.keys import Keys


async def begun_long_ago(redis: Redis, keys: Keys) -> None:
    """Set the epoch of the namespace unless it has one."""
    await redis.set(keys.epoch, 1_000_000, nx=True)
