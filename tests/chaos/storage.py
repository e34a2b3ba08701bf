"""Faults of a Redis with one server."""

from __future__ import annotations

import asyncio
import random
import signal

from redis.exceptions import RedisError

from tests.chaos.redis_single import RedisSingle
from tests.support.pace import last
from tests.support.waiting import until


class RedisFaults:
    """The faults. Only one is active at a time, since there is one server."""

    def __init__(self, server: RedisSingle, rng: random.Random, longest: float) -> None:
        """`longest` is the longest time in seconds for which the server is stopped."""
        self._server = server
        self._rng = rng
        self._longest = longest
        self._mine = asyncio.Lock()

    async def restart(self, number: int) -> str:
        """Stop the server and start it again with its data on disk."""
        async with self._mine:
            await self._server.stop(number)
            await last(self._rng.uniform(0, 1.5))
            await self._server.start()
        return "redis"

    async def away(self) -> str:
        """Stop the server for up to 30 s: longer than any time limit or lease."""
        async with self._mine:
            await self._server.stop(signal.SIGTERM)
            await last(self._longest)
            await self._server.start()
        return f"redis, {self._longest:.0f} s"

    async def hang(self) -> str:
        """Stop the server with SIGSTOP, sometimes longer than a call waits for an answer."""
        async with self._mine:
            self._server.signal(signal.SIGSTOP)
            await last(self._rng.uniform(0.5, 5.0))
            self._server.signal(signal.SIGCONT)
        return "redis"

    async def fill_disk(self) -> str:
        """Fill the disk. Redis ends, and cannot start until there is room again."""
        async with self._mine:
            self._server.limit_files(True)
            await until(self._ended, seconds=30, what="Redis without a disk ends")
            await last(self._rng.uniform(0, 1.0))
            await self._server.start()
        return "redis"

    async def _ended(self) -> bool:
        try:
            await self._server.client.set("disk", "full")
        except (RedisError, OSError):
            return await self._server.has_ended()
        return False
