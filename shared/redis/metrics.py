"""Metrics about Redis: whether it answers, its memory, and reasons why it could lose data."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from prometheus_client import Gauge

from shared.runtime.metrics import at_zero


class RedisProblem(StrEnum):
    """Reasons why Redis can lose data."""

    EVICTS = "evicts"
    NO_AOF = "no_aof"
    AOF_FAILS = "aof_fails"
    REWRITE_FAILS = "rewrite_fails"
    REPLICAS_MISSING = "replicas_missing"
    ACL = "acl"


UP = Gauge("headrace_redis_up", "1 while Redis answers this service")
MEMORY = Gauge("headrace_redis_memory_ratio", "Memory that Redis uses, as a fraction of maxmemory")
USED = Gauge("headrace_redis_memory_used_bytes", "Memory that Redis uses")
MAX = Gauge("headrace_redis_memory_max_bytes", "maxmemory of Redis; 0 = no limit")
RSS = Gauge(
    "headrace_redis_memory_rss_bytes",
    "Memory that the process of Redis has from the kernel, with fragmentation",
)
AOF = Gauge("headrace_redis_aof_bytes", "Size of the append-only file on the disk of Redis")
PROBLEM = at_zero(
    Gauge("headrace_redis_problem", "1 when Redis can lose data, by reason", ["problem"]),
    RedisProblem,
)


def observe(info: Mapping[str, Any], replicas: int = 0) -> None:
    """Set the metrics from an answer of INFO. A write waits for `replicas` replicas."""
    UP.set(1)
    used, limit = info.get("used_memory", 0), info.get("maxmemory", 0)
    USED.set(used)
    MAX.set(limit)
    RSS.set(info.get("used_memory_rss", 0))
    AOF.set(info.get("aof_current_size", 0))
    MEMORY.set(used / limit if limit else 0.0)
    for problem, is_there in problems(info, replicas).items():
        PROBLEM.labels(problem).set(is_there)


def unreachable() -> None:
    """Record that Redis did not answer. The other metrics keep their values."""
    UP.set(0)


def problems(info: Mapping[str, Any], replicas: int) -> dict[RedisProblem, bool]:
    """Which problems an answer of INFO shows. A missing field is assumed to be fine. Pure."""
    return {
        RedisProblem.EVICTS: info.get("maxmemory_policy", "noeviction") != "noeviction",
        RedisProblem.NO_AOF: not info.get("aof_enabled", 1),
        RedisProblem.AOF_FAILS: info.get("aof_last_write_status", "ok") != "ok",
        RedisProblem.REWRITE_FAILS: info.get("aof_last_bgrewrite_status", "ok") != "ok",
        RedisProblem.REPLICAS_MISSING: info.get("connected_slaves", replicas) < replicas,
    }
