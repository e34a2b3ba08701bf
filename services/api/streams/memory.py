"""How full the memory of Redis is. The API stops its own writes long before it is full.

See docs/decisions/0068-accounts-have-quotas.md.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from shared.redis.pressure import memory_reason

log = structlog.get_logger()

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
        reason = None
        with suppress(NoPermissionError):
            reason = memory_reason(await self._redis.info("memory"))
        if (reason is None) != (self._reason is None):
            log.warning("writes_accepted" if reason is None else "writes_refused", reason=reason)
        self._reason = reason
