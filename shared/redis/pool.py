"""A pool of connections that are tested before use.

A connection may die while it is idle: Redis was restarted, a proxy or a NAT dropped it. The next
call on it would fail, though Redis is well. A failed write may have been carried out, so it cannot
be retried. Therefore the connection is tested first.
"""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from redis.asyncio import BlockingConnectionPool
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig

IDLE_SECONDS = 1.0
"""A connection that was idle for longer must answer a PING before it is used."""


class LivePool(BlockingConnectionPool):
    """Waits up to `timeout` seconds for a connection; for a PING a third of it, at most 1 s."""

    def __init__(self, *, timeout: float, **options: Any) -> None:
        # With these notices on, redis-py 8.1 also hands out connections that the server has closed.
        quiet = MaintNotificationsConfig(enabled=False)
        super().__init__(timeout=timeout, maint_notifications_config=quiet, **options)
        self._patience = min(1.0, timeout / 3)
        self._released: WeakKeyDictionary[Any, float] = WeakKeyDictionary()

    async def ensure_connection(self, connection: Any) -> None:
        """Open it, or open it anew when it is dead. Raises redis-py's ConnectionError."""
        if connection.is_connected and not await self._is_alive(connection):
            await connection.disconnect(nowait=True)
        await super().ensure_connection(connection)

    async def release(self, connection: Any) -> None:
        """Take it back."""
        self._released[connection] = asyncio.get_running_loop().time()
        await super().release(connection)

    async def _is_alive(self, connection: Any) -> bool:
        stream = connection._reader  # redis-py does not notice a reset by itself
        if stream.at_eof() or stream.exception():
            return False
        now = asyncio.get_running_loop().time()
        if now - self._released.get(connection, 0.0) < IDLE_SECONDS:
            return True
        try:
            async with asyncio.timeout(self._patience):
                await connection.send_command("PING", check_health=False)
                await connection.read_response()
        except (RedisError, OSError):
            return False
        return True
