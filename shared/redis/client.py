"""Creates clients of Redis with safe options. By default redis-py can hang or write twice.

See docs/decisions/0019-one-multiplexed-connection.md.
"""

from __future__ import annotations

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.redis.errors import WriteRefusedError
from shared.redis.multiplexed import MultiplexedRedis
from shared.redis.pool import LivePool
from shared.redis.primary import connection_options
from shared.redis.url import parse_redis_url

REDIS_UNAVAILABLE = (RedisConnectionError, RedisTimeoutError, WriteRefusedError)
"""Errors of a Redis that is away, is not the primary, or refuses to write. For `except`.

This is a tuple, because the first two classes belong to redis-py. Other errors are defects.
"""

__all__ = [
    "REDIS_UNAVAILABLE",
    "RedisError",
    "WriteRefusedError",
    "check_url",
    "connect",
    "connect_multiplexed",
]


def connect_multiplexed(url: str, *, slot_key: str = "", timeout: float = 3.0) -> MultiplexedRedis:
    """Like `connect`, but all calls share one connection. For callers with many small calls."""
    return MultiplexedRedis(_pool(url, slot_key, timeout), timeout)


def connect(url: str, *, slot_key: str = "", timeout: float = 3.0) -> Redis:
    """A client of the primary. Each call answers or fails within `timeout` seconds.

    shared.redis.url describes `url`. `slot_key` is any key of the namespace: in a Cluster the
    client connects to the node that owns the slot of this key. Calls are not retried. After a lost
    reply a retry could write twice, and only the caller knows whether that is harmless. At most 50
    calls run at once, and further calls wait up to `timeout` for a connection. A connection that
    died while idle is replaced (shared.redis.pool). Replies are bytes.
    """
    return Redis.from_pool(_pool(url, slot_key, timeout))


def check_url(url: str) -> None:
    """Raise ValueError for a REDIS_URL that cannot be used. The message contains no password."""
    options = connection_options(parse_redis_url(url), "any", 1.0)
    try:
        options.pop("connection_class")(**options)
    except TypeError as error:
        raise ValueError(f"redis-py does not know an option of this URL: {error}") from None


def _pool(url: str, slot_key: str, timeout: float) -> LivePool:
    options = connection_options(parse_redis_url(url), slot_key, timeout)
    return LivePool(timeout=timeout, **options)
