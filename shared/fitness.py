"""Whether Redis is one that events can be trusted to: it keeps what it was given.

Asked when a service starts and every ten seconds after, since a failover leads to another server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from shared import redis_metrics
from shared.store import RedisError
from shared.tasks import Expected

log = structlog.get_logger()

OLDEST = (7, 0)
KEEPS = "noeviction"
_SECONDS = 10.0


class Unfit(Expected):
    """The Redis we have could lose or change what stands in it; the message says what to set."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What makes a Redis unfit, if anything does, and what its operator should know."""

    wrong: str | None = None
    doubts: tuple[str, ...] = ()


def judge(info: Mapping[str, Any]) -> Finding:
    """Of what INFO says: pure. What it leaves out (some that are rented do) is taken to be well."""
    shown = str(info.get("redis_version", "7.0"))
    if tuple(map(int, shown.split(".")[:2])) < OLDEST:
        return Finding(f"Redis is {shown}: it takes 7.0 or newer, or Valkey")
    if (policy := info.get("maxmemory_policy", KEEPS)) != KEEPS:
        return Finding(
            "Redis throws away events and revocations when its memory is full: "
            f"maxmemory-policy is {policy}, set it to {KEEPS}"
        )
    doubts = []
    if not info.get("aof_enabled", 1):
        doubts.append("a restart of Redis loses what the API was told: set appendonly to yes")
    if not info.get("maxmemory", 1):
        doubts.append("the kernel ends Redis when memory runs out: set maxmemory")
    return Finding(None, tuple(doubts))


async def examine(redis: Redis, replicas: int = 0) -> Finding:
    """Ask this Redis. Without the right to do so nothing is known, which is a doubt."""
    try:
        info = await redis.info("everything")
        redis_metrics.observe(info, replicas)
        return judge(info)
    except NoPermissionError:
        return Finding(None, ("nobody knows whether it keeps all: give this user +info",))


async def require_fit(redis: Redis) -> None:
    """Raises Unfit."""
    if wrong := (await examine(redis)).wrong:
        raise Unfit(wrong)


async def watch(redis: Redis, say: Callable[[str | None], None], replicas: int = 0) -> None:
    """Say what is wrong, for as long as the service lives; raises while Redis cannot be asked.

    `replicas` are those that a write waits for.
    """
    before = Finding()
    while True:
        try:
            finding = await examine(redis, replicas)
        except (RedisError, OSError):
            redis_metrics.unreachable()
            raise
        say(finding.wrong)
        if finding != before:
            report = log.error if finding.wrong else log.warning
            report("redis_examined", wrong=finding.wrong, doubts=finding.doubts)
        before = finding
        await asyncio.sleep(_SECONDS)
