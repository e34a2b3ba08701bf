"""A lease: one process is active, the others stand by.

It says who should act, and expires unless renewed. Where acting twice would do harm, a fence beside
it makes it true: taking the lease writes the holder's token there, for good, and whoever acts has
to find it (docs/decisions.md 14, 15). So one that was only slow cannot write any more.
"""

from __future__ import annotations

import secrets

from redis.asyncio import Redis

from shared.redis.scripts import load_script

_TAKE = load_script(__package__, "lease_take")
_RENEW = load_script(__package__, "lease_renew")
_RELEASE = load_script(__package__, "lease_release")


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
