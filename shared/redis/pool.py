"""A pool that tests idle connections before it uses them.

A connection can die while it is idle: Redis was restarted, or a proxy or a NAT dropped it. Then the
next call on this connection would fail although Redis works. A failed write cannot be retried,
because Redis may have executed it. Therefore the pool tests the connection first.
"""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from redis.asyncio import BlockingConnectionPool
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig

IDLE_SECONDS = 1.0
"""A connection that was idle for longer than this must answer a PING before it is used."""


class LivePool(BlockingConnectionPool):
    """Waits up to `timeout` s for a free connection, up to min(1, `timeout` / 3) s for a PING."""

    def __init__(self, *, timeout: float, **options: Any) -> None:
        # With notifications on, redis-py 8.1 hands out connections that the server has closed.
        no_notifications = MaintNotificationsConfig(enabled=False)
        super().__init__(timeout=timeout, maint_notifications_config=no_notifications, **options)
        self._ping_seconds = min(1.0, timeout / 3)
        self._released: WeakKeyDictionary[Any, float] = WeakKeyDictionary()

    async def ensure_connection(self, connection: Any) -> None:
        """Open a closed connection, and replace a dead one. Raises redis-py's ConnectionError."""
        if connection.is_connected and not await self._is_alive(connection):
            await connection.disconnect(nowait=True)
        await super().ensure_connection(connection)

    async def release(self, connection: Any) -> None:
        """Take a connection back into the pool."""
        self._released[connection] = asyncio.get_running_loop().time()
        await super().release(connection)

    async def _is_alive(self, connection: Any) -> bool:
        stream = connection._reader  # redis-py checks neither the end nor the error of its reader
        if stream.at_eof() or stream.exception():
            return False
        now = asyncio.get_running_loop().time()
        if now - self._released.get(connection, 0.0) < IDLE_SECONDS:
            return True
        try:
            async with asyncio.timeout(self._ping_seconds):
                await connection.send_command("PING", check_health=False)
                await connection.read_response()
        except (RedisError, OSError):
            return False
        return True
