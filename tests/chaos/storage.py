"""What befalls a Redis of one server, each as an act as in tests.chaos.faults."""

from __future__ import annotations

import asyncio
import random
import signal

from redis.exceptions import RedisError

from tests.chaos.redis_single import RedisSingle
from tests.support.pace import last
from tests.support.waiting import until


class RedisFaults:
    """The acts; one at a time, since there is one server."""

    def __init__(self, server: RedisSingle, rng: random.Random, longest: float) -> None:
        """`longest` is how many seconds the server may be away."""
        self._server = server
        self._rng = rng
        self._longest = longest
        self._mine = asyncio.Lock()

    async def restart(self, number: int) -> str:
        """What it has on disk is what it comes back with."""
        async with self._mine:
            await self._server.stop(number)
            await last(self._rng.uniform(0, 1.5))
            await self._server.start()
        return "redis"

    async def away(self) -> str:
        """Half a minute, where the run is long enough: longer than any wait or lease."""
        async with self._mine:
            await self._server.stop(signal.SIGTERM)
            await last(self._longest)
            await self._server.start()
        return f"redis, {self._longest:.0f} s"

    async def hang(self) -> str:
        """Longer than a call waits for an answer, now and then."""
        async with self._mine:
            self._server.signal(signal.SIGSTOP)
            await last(self._rng.uniform(0.5, 5.0))
            self._server.signal(signal.SIGCONT)
        return "redis"

    async def fill_disk(self) -> str:
        """It ends itself rather than acknowledge what it cannot keep, and again at each start."""
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
