"""A large installation on one machine: 50,000 connections on four fanouts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from tests.bench import processes
from tests.bench.environment import BenchEnvironment
from tests.bench.processes import Server, milliseconds
from tests.bench.publish import Publisher, recipient, sender
from tests.bench.rows import Row, row
from tests.bench.swarm import Swarm, check, joined

_FANOUTS = 4
_STREAMS = 12_500
_RATE = 1000
_IDLE_SECONDS = 15
_MB = 1 << 20


class Big(NamedTuple):
    """What the four fanouts use together. CPU is in percent of one core."""

    rss: float
    pss: float
    idle: float
    busy: float
    rss_after: float
    p50: float
    p99: float


async def big(env: BenchEnvironment) -> list[Row]:
    """Each event goes to four connections, one of each fanout. Each connection has one topic."""
    publisher = env.publisher(_STREAMS)
    await publisher.prepare()
    runs = [await _measure(env, publisher) for _ in range(env.runs)]
    await publisher.close()
    rss, pss, idle, busy, after, p50, p99 = zip(*runs, strict=True)
    return [
        row("rss", "50,000 connections on four fanouts: RSS, sum", "MB", rss, 250),
        row("pss", "… PSS, sum", "MB", pss),
        row("idle", "… CPU idle, heartbeats on", "% of a core", idle, 3.5),
        row("busy", "… CPU, 1,000 events/s to four connections each", "% of a core", busy, 28),
        row("after", "… RSS after 12,500 events", "MB", after),
        row("p50", "… commit → client, p50", "ms", p50),
        row("p99", "… commit → client, p99", "ms", p99),
    ]


async def _measure(env: BenchEnvironment, publisher: Publisher) -> Big:
    with ExitStack() as stack:
        start = processes.fanout
        servers = [
            stack.enter_context(start(env.redis_url, env.keys, env.folder)) for _ in range(_FANOUTS)
        ]
        swarms = [Swarm(server.port, _paths(n), expected=1) for n, server in enumerate(servers)]
        for swarm in swarms:
            stack.callback(swarm.close)
        for swarm in swarms:
            await swarm.connected()
        await asyncio.sleep(3)
        rss, pss = sum(s.rss() for s in servers), sum(s.pss() for s in servers)
        cpu, began = _cpu(servers), time.monotonic()
        await asyncio.sleep(_IDLE_SECONDS)
        idle = (_cpu(servers) - cpu) / (time.monotonic() - began)
        cpu, began = _cpu(servers), time.monotonic()
        await publisher.run(_RATE, _STREAMS / _RATE)
        busy = (_cpu(servers) - cpu) / (time.monotonic() - began)
        result = joined([await swarm.finished() for swarm in swarms])
        after = sum(s.rss() for s in servers)
    check(result, 1)
    delays = milliseconds(result["latencies"])
    return Big(rss / _MB, pss / _MB, idle * 100, busy * 100, after / _MB, *delays)


def _paths(fanout: int) -> list[str]:
    """One path for each stream. The four connections of a stream are on different fanouts."""
    return [f"/v1/events/subscribe?{_topic(n, (n + fanout) % 4)}" for n in range(1, _STREAMS + 1)]


def _topic(stream: int, number: int) -> str:
    return (f"streams={stream}", f"users={recipient(stream)}", f"users={sender(stream)}")[
        number % 3
    ]


def _cpu(servers: Sequence[Server]) -> float:
    return sum(server.cpu() for server in servers)
