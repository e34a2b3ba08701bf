"""The metrics of a service about Redis."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from shared.journal.keys import Keys
from shared.redis.client import RedisError, connect
from shared.redis.durability import DurabilityCheck
from shared.redis.metrics import RedisProblem, observe, problems
from tests.support.redis_node import Node
from tests.support.redis_server import PATIENT

KEYS = Keys("watched")


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"headrace_redis_{name}", labels)


@pytest.mark.parametrize(
    ("info", "replicas", "found"),
    [
        ({}, 0, set()),
        ({"maxmemory_policy": "noeviction", "aof_enabled": 1}, 0, set()),
        ({"maxmemory_policy": "allkeys-lru"}, 0, {RedisProblem.EVICTS}),
        ({"aof_enabled": 0}, 0, {RedisProblem.NO_AOF}),
        ({"aof_enabled": 1, "aof_last_write_status": "err"}, 0, {RedisProblem.AOF_FAILS}),
        ({"aof_last_bgrewrite_status": "err"}, 0, {RedisProblem.REWRITE_FAILS}),
        ({"connected_slaves": 1}, 2, {RedisProblem.REPLICAS_MISSING}),
        ({"connected_slaves": 2}, 2, set()),
        ({}, 2, set()),
    ],
)
def test_problems_that_info_shows(info: dict[str, Any], replicas: int, found: set[Any]) -> None:
    assert {problem for problem, there in problems(info, replicas).items() if there} == found


def test_memory_is_a_fraction_of_maxmemory() -> None:
    observe({"used_memory": 300, "maxmemory": 400})
    assert value("memory_ratio") == 0.75
    assert (value("memory_used_bytes"), value("memory_max_bytes")) == (300, 400)
    observe({"used_memory": 300, "maxmemory": 0})
    assert value("memory_ratio") == 0


@pytest.mark.io
async def test_the_metrics_show_problems_of_a_real_redis_and_its_absence(tmp_path: Path) -> None:
    settings = {"appendonly": "yes", "maxmemory": "64mb", "maxmemory-policy": "allkeys-lru"}
    node = Node(tmp_path / "redis", settings)
    await node.start()
    redis = connect(f"redis://127.0.0.1:{node.port}/0", timeout=PATIENT)
    check = DurabilityCheck(redis, KEYS)
    try:
        assert "allkeys-lru" in (await check() or "")
        assert value("problem", problem="evicts") == 1
        assert value("problem", problem="no_aof") == 0
        assert value("up") == 1
        assert 0 < (value("memory_ratio") or 0) < 1
        assert (value("memory_rss_bytes") or 0) > 1_000_000
        await redis.set("x", "y" * 1000)
        await check()
        assert (value("aof_bytes") or 0) > 1000
        await node.stop(signal.SIGKILL)
        with pytest.raises((RedisError, OSError)):
            await check()
        assert value("up") == 0
    finally:
        await redis.aclose()
        await node.stop(signal.SIGKILL)
