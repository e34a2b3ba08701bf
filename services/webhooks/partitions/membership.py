"""Which dispatchers run: a sorted set of their names, scored by when each stops to count."""

from __future__ import annotations

import secrets
from contextlib import suppress

from redis.asyncio import Redis

from shared.journal.keys import Keys
from shared.redis.client import RedisError
from shared.redis.clock import Clock


class Membership:
    """Makes this dispatcher one of the members."""

    def __init__(self, redis: Redis, keys: Keys, clock: Clock, *, seconds: float) -> None:
        self.name = secrets.token_hex(8)
        self._redis = redis
        self._key = keys.webhook_dispatchers
        self._clock = clock
        self._seconds = seconds

    async def renew(self) -> int:
        """Be a member for some more seconds. Returns the number of members, at least 1."""
        now = self._clock()
        pipe = self._redis.pipeline(transaction=False)
        pipe.zadd(self._key, {self.name: now + self._seconds})
        pipe.zremrangebyscore(self._key, "-inf", now)
        pipe.zcard(self._key)
        return max(1, int((await pipe.execute())[-1]))

    async def leave(self) -> None:
        """Be a member no more. If Redis does not answer, the membership expires by itself."""
        with suppress(RedisError, OSError):
            await self._redis.zrem(self._key, self.name)
