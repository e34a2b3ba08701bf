"""For promtool: what is wrong with Redis, and what follows from it."""

from __future__ import annotations

STEADY = "100+10x200"
"""A counter that increases, one sample every 15 s for 50 minutes."""

USED = 'headrace_redis_memory_used_bytes{instance="a1"}'
MAX = 'headrace_redis_memory_max_bytes{instance="a1"}'

# The changed series of each problem, and the alerts that must fire. None: the series is absent.
REDIS_AWAY = {
    'headrace_redis_up{instance="a1"}': "1x80 0x120",
    'headrace_redis_up{instance="f1"}': "1x80 0x120",
}
REDIS: dict[str, tuple[dict[str, str | None], set[str]]] = {
    "Redis is away, and all that follows from it": (
        {
            **REDIS_AWAY,
            'headrace_ready{job="headrace-api",instance="a1",part="redis"}': "1x80 0x120",
            'headrace_task_failures_total{job="headrace-fanout",task="feed"}': "0x80 0+1x120",
            'headrace_indexer_active{instance="i1"}': "1x80 0x120",
            'headrace_indexer_ledger_closed_seconds{instance="i1"}': "1195x200",
            'headrace_api_requests_total{status="500"}': STEADY,
            'headrace_api_request_seconds_bucket{le="0.1"}': "0x200",
            'headrace_api_request_seconds_bucket{le="5"}': STEADY,
        },
        {"HeadraceRedisAway"},
    ),
    "Redis was away for five minutes and is back for four": (
        {
            'headrace_redis_up{instance="a1"}': "1x84 0x20 1x95",
            'headrace_redis_up{instance="f1"}': "1x84 0x20 1x95",
            'headrace_task_failures_total{job="headrace-fanout",task="feed"}': "0x82 0+5x22 110x95",
            'headrace_api_requests_total{status="500"}': "0x82 0+100x22 2200x95",
        },
        set(),
    ),
    "Redis was away for a moment": (
        {'headrace_task_failures_total{job="headrace-fanout",task="feed"}': "0x116 9x84"},
        set(),
    ),
    "one service does not reach Redis": ({'headrace_redis_up{instance="f1"}': "0x200"}, set()),
    "Redis evicts": (
        {'headrace_redis_problem{instance="a1",problem="evicts"}': "1x200"},
        {"HeadraceRedisUnsafe"},
    ),
    "at this speed the memory of Redis is full in an hour": (
        {
            USED: "200000+2500x200",
            'headrace_redis_memory_ratio{instance="a1"}': "0.2+0.0025x200",
        },
        {"HeadraceRedisMemoryGrows"},
    ),
    "a new installation grows": ({USED: "0+2000x200"}, set()),
    "the memory of Redis has shrunk": (
        {USED: "590000-10x200", 'headrace_redis_memory_ratio{instance="a1"}': "0.59x200"},
        set(),
    ),
    "Redis cannot rewrite its append-only file": (
        {'headrace_redis_problem{instance="a1",problem="rewrite_fails"}': "1x200"},
        {"HeadraceRedisUnsafe"},
    ),
    "the memory of Redis fills": (
        {'headrace_redis_memory_ratio{instance="a1"}': "0.65x200"},
        {"HeadraceRedisMemory"},
    ),
    "the memory of Redis is so full that the API refuses": (
        {'headrace_redis_memory_ratio{instance="a1"}': "0.8x200"},
        {"HeadraceWritesRefused"},
    ),
}
