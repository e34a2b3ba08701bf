"""A lease in Redis: one process is active, the others are standbys.

The holder renews the lease, else it expires and another process takes it. If the former holder was
only slow, it may still believe that it is active. A fence prevents its writes: whoever takes the
lease also writes its token to the fence key, which does not expire. Each write checks that the
fence key still has the token of its process (decisions 14 and 15).

See docs/decisions/0014-fence-is-a-random-token.md,
docs/decisions/0015-lease-and-fence-are-two-keys.md.
"""

from __future__ import annotations

import secrets

from redis.asyncio import Redis

from shared.redis.scripts import load_script

_TAKE = load_script(__package__, "lease_take")
_RENEW = load_script(__package__, "lease_renew")
_RELEASE = load_script(__package__, "lease_release")


class Lease:
    """One process that wants the lease. `token` is random and identifies this process."""

    def __init__(self, redis: Redis, key: str, *, seconds: float, fence: str | None = None) -> None:
        self.token = secrets.token_hex(8)
        self._keys = [key] if fence is None else [key, fence]
        self._milliseconds = round(seconds * 1000)
        self._take = redis.register_script(_TAKE)
        self._renew = redis.register_script(_RENEW)
        self._release = redis.register_script(_RELEASE)

    async def take(self) -> bool:
        """Take or extend the lease. False when another process holds it."""
        return bool(await self._take(keys=self._keys, args=[self.token, self._milliseconds]))

    async def renew(self) -> bool:
        """Extend the lease. False when this process no longer holds it."""
        return bool(await self._renew(keys=self._keys[:1], args=[self.token, self._milliseconds]))

    async def release(self) -> None:
        """Give the lease up, so that another process can take it at once."""
        await self._release(keys=self._keys[:1], args=[self.token])
