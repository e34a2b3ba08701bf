"""The connection to Redis, with time-outs chosen instead of defaults that hang or write twice."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.redis.multiplexed import MultiplexedRedis
from shared.redis.pool import LivePool
from shared.redis.primary import WriteRefusedError, connection_options
from shared.redis.url import parse_redis_url

REDIS_UNAVAILABLE = (RedisConnectionError, RedisTimeoutError, WriteRefusedError)
"""What a call raises while Redis is away, no master, or refuses to write; anything else is a
defect."""

__all__ = [
    "REDIS_UNAVAILABLE",
    "RedisError",
    "WriteRefusedError",
    "check_url",
    "connect",
    "connect_multiplexed",
]


def connect_multiplexed(url: str, *, slot_key: str = "", timeout: float = 3.0) -> MultiplexedRedis:
    """The same client on one shared connection (shared.redis.multiplexed), for many small calls."""
    return MultiplexedRedis(_pool(url, slot_key, timeout), timeout)


def connect(url: str, *, slot_key: str = "", timeout: float = 3.0) -> Redis:
    """A client of the master that answers or fails within `timeout` seconds.

    `url` has the forms of shared.redis.url. `slot_key` is any key of the namespace; in a Cluster it
    finds the owner. Nothing is retried: after a lost reply a retry would write twice, and only
    callers know where that does no harm. At most 50 calls run at once; the others wait up to
    `timeout` for a connection. A connection that died while idle is opened anew
    (shared.redis.pool). Answers are bytes.
    """
    return Redis.from_pool(_pool(url, slot_key, timeout))


def check_url(url: str) -> None:
    """Raises ValueError on a REDIS_URL that cannot be used; its text shows no password."""
    options = connection_options(parse_redis_url(url), "any", 1.0)
    try:
        options.pop("connection_class")(**options)
    except TypeError as error:
        raise ValueError(f"an option is unknown to redis-py: {error}") from None


def _pool(url: str, slot_key: str, timeout: float) -> LivePool:
    options = connection_options(parse_redis_url(url), slot_key, timeout)
    return LivePool(timeout=timeout, **options)
