"""How full the memory of Redis is. The API stops its own writes long before it is full.

See docs/decisions/0068-accounts-have-quotas.md.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

log = structlog.get_logger()

REFUSE_FROM = 0.8
"""From this fraction of maxmemory on, the API changes no streams.

The rest is for writes that cannot wait: events of the chain, logins and revocations. A fifth of
1 GB has room for about 100,000 events, which is more than an hour at 25 events a second. It also
has room for what all replicas of the API can write between two checks.
"""

_INTERVAL = 1.0


class RedisMemory:
    """How full the memory of Redis is, read once a second."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._reason: str | None = None

    def full_reason(self) -> str | None:
        """Why no stream may be changed now, as a sentence for the client; None if it may."""
        return self._reason

    async def run(self) -> None:
        """Check for ever. Raises redis-py's errors."""
        while True:
            await self.check()
            await asyncio.sleep(_INTERVAL)

    async def check(self) -> None:
        """Check once. Without maxmemory, or without the right +info, Redis never counts as full."""
        info = {}
        with suppress(NoPermissionError):
            info = await self._redis.info("memory")
        reason = full_reason(info.get("used_memory", 0), info.get("maxmemory", 0))
        if (reason is None) != (self._reason is None):
            log.warning("writes_accepted" if reason is None else "writes_refused", reason=reason)
        self._reason = reason


def full_reason(used: int, limit: int) -> str | None:
    """Why no stream may be changed when Redis uses so many bytes of its `limit`. Pure."""
    if not limit or used < REFUSE_FROM * limit:
        return None
    return (
        f"The memory of Redis is {used / limit:.0%} full, and from {REFUSE_FROM:.0%} on the API "
        "changes no streams, so that events of the chain still fit"
    )
