"""The kinds of Redis that a chaos run can use (the variable REDIS)."""

from __future__ import annotations

from typing import Any

from tests.chaos.redis_failover import ClusterRedis, SentinelRedis, SentinelReplicas
from tests.chaos.redis_linked import RedisLinked
from tests.chaos.redis_single import RedisSingle
from tests.chaos.world import MakeRedis

_KINDS: dict[str, tuple[MakeRedis, int]] = {
    "single": (RedisSingle, 0),
    "sentinel": (SentinelRedis, 1),
    "sentinel-replicas": (SentinelReplicas, 1),
    "cluster": (ClusterRedis, 1),
    "replicas": (RedisLinked, 2),
}
"""Each kind with WAIT_REPLICAS of the API. With 2, any replica may be promoted."""


def of_kind(name: str) -> dict[str, Any]:
    """The arguments of `run` for a kind of Redis."""
    make, count = _KINDS[name]
    return {"redis": make, **({"WAIT_REPLICAS": str(count)} if count else {})}
