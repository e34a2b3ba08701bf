"""A lease: one process is active, the others stand by.

It says who should act, and expires unless renewed. Where acting twice would do harm, a fence beside
it makes it true: taking the lease writes the holder's token there, for good, and whoever acts has
to find it (docs/decisions.md 14, 15). So one that was only slow cannot write any more.
"""

from __future__ import annotations

import secrets

from redis.asyncio import Redis

_TAKE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if KEYS[2] then redis.call('SET', KEYS[2], ARGV[1]) end
return 1
"""
_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class Lease:
    """The side of one process. `token` is unlike any other's, so equality is all to check."""

    def __init__(self, redis: Redis, key: str, *, seconds: float, fence: str | None = None) -> None:
        self.token = secrets.token_hex(8)
        self._keys = [key] if fence is None else [key, fence]
        self._milliseconds = round(seconds * 1000)
        self._take = redis.register_script(_TAKE)
        self._renew = redis.register_script(_RENEW)
        self._release = redis.register_script(_RELEASE)

    async def take(self) -> bool:
        """Become the active one, or stay it, unless another is."""
        return bool(await self._take(keys=self._keys, args=[self.token, self._milliseconds]))

    async def renew(self) -> bool:
        """Stay it; False when the lease was lost."""
        return bool(await self._renew(keys=self._keys[:1], args=[self.token, self._milliseconds]))

    async def release(self) -> None:
        """Let another take over at once."""
        await self._release(keys=self._keys[:1], args=[self.token])
