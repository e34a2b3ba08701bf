"""The connection to Redis, with time-outs chosen instead of defaults that hang or write twice."""

from __future__ import annotations

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MasterDownError, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.lane import LaneRedis

Unreachable = (RedisConnectionError, RedisTimeoutError, MasterDownError, ReadOnlyError)
"""What a call raises while Redis is away or no master; anything else is a defect."""

__all__ = ["RedisError", "Unreachable", "connect", "connect_lane"]


def connect_lane(url: str, *, timeout: float = 3.0) -> LaneRedis:
    """The same client on one shared connection, for many small calls at once (shared.lane)."""
    return LaneRedis(_pool(url, timeout), timeout)


def connect(url: str, *, timeout: float = 3.0) -> Redis:
    """A client that answers or fails within `timeout` seconds.

    No retries: a lost reply and a retry together write twice, and the callers that may retry know
    it. Of more than 50 calls at once the rest wait for a connection first, as long at most. Answers
    are bytes.
    """
    return Redis.from_pool(_pool(url, timeout))


def _pool(url: str, timeout: float) -> BlockingConnectionPool:
    return BlockingConnectionPool.from_url(
        url,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
        legacy_responses=False,
        decode_responses=False,
    )
