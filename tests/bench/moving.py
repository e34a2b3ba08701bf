"""Delivery: latency of one and of many subscribers, a reconnect storm, several replicas."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace

from redis.asyncio import Redis

from shared.journal.keys import Keys
from tests.bench import processes
from tests.bench.environment import ALL, BenchEnvironment
from tests.bench.processes import Server, milliseconds
from tests.bench.publish import Publisher
from tests.bench.redis_hop import redis_hop
from tests.bench.rows import Row, ratio, row
from tests.bench.swarm import Swarm, check, joined

_BURST = 200
"""Events in one commit: 260 KB for each client, which fit into the backlog of a connection."""


async def latency(env: BenchEnvironment) -> list[Row]:
    """The latency from the commit to the last byte at the only client of an idle machine.

    The floor is a program that reads from Redis with a plain socket, in the same run.
    """
    publisher = env.publisher(10)
    await publisher.prepare()
    runs, floors = [], []
    for _ in range(env.runs):
        runs.append(await _delays(env, publisher, clients=1, rate=50, seconds=6))
        floors.append(await redis_hop(env.redis_url, publisher, rate=50, seconds=6))
    await publisher.close()
    (p50, p99), (redis_p50, redis_p99) = zip(*runs, strict=True), zip(*floors, strict=True)
    return [
        row("p50", "commit → client, one subscriber, p50", "ms", p50, 0.45),
        row("p99", "… p99", "ms", p99, 0.8),
        row(
            "redis-p50",
            "… commit → a plain socket that is subscribed to Redis, p50",
            "ms",
            redis_p50,
        ),
        row("redis-p99", "… … p99", "ms", redis_p99),
        ratio("redis", "… p50 against this socket", p50, redis_p50),
    ]


async def many(env: BenchEnvironment) -> list[Row]:
    """The latency with 1,000 subscribers of all events at 50 events/s, and the most events/s."""
    publisher = env.publisher(10)
    await publisher.prepare()
    runs = [
        await _delays(env, publisher, clients=1000, rate=50, seconds=6) for _ in range(env.runs)
    ]
    await publisher.close()
    p50, p99 = zip(*runs, strict=True)
    return [
        row("p50", "commit → client, 1,000 × `*`, 50 events/s, p50", "ms", p50),
        row("p99", "… p99", "ms", p99, 17),
    ]


async def _delays(
    env: BenchEnvironment, publisher: Publisher, *, clients: int, rate: float, seconds: float
) -> tuple[float, float]:
    """The median and the 99th percentile in ms, of one of 64 clients."""
    with (
        processes.fanout(env.redis_url, env.keys, env.folder) as server,
        closing(Swarm(server.port, [ALL] * clients, expected=round(rate * seconds))) as swarm,
    ):
        await swarm.connected()
        await publisher.run(rate, seconds)
        result = await swarm.finished()
    check(result, round(rate * seconds))
    return milliseconds(result["latencies"])


async def storm(env: BenchEnvironment) -> list[Row]:
    """10,000 clients resume at once with Last-Event-ID. Each missed 20 events."""
    publisher = env.publisher(10)
    await publisher.prepare()
    runs = [await _resume(env, publisher) for _ in range(env.runs)]
    await publisher.close()
    own, wall, reads = zip(*runs, strict=True)
    what = "10,000 clients resume, 20 missed events each, one core"
    return [
        row("resumed", what, "/s", own, 8000, better="higher"),
        row("clock", "… by the clock, clients on the same machine", "/s", wall, better="higher"),
        row("reads", "… journal reads in Redis meanwhile", "", reads),
    ]


async def _resume(env: BenchEnvironment, publisher: Publisher) -> tuple[float, float, float]:
    """Clients resumed per second of CPU and per second, and the reads of the journal."""
    with processes.fanout(env.redis_url, env.keys, env.folder) as server:
        await publisher.publish(21)
        await asyncio.sleep(1)
        last_seen = publisher.published[-21]
        redis = Redis.from_url(env.redis_url)
        reads, cpu = await _reads(redis), server.cpu()
        headers = f"Last-Event-ID: {last_seen}\r\n"
        paths = [ALL] * 10_000
        swarm = Swarm(server.port, paths, headers=headers, expected=20, at_once=2000)
        with closing(swarm):
            await swarm.connected()
            result = await swarm.finished()
            used = server.cpu() - cpu
        reads = await _reads(redis) - reads
        await redis.aclose()
    check(result, 20)
    return 10_000 / used, 10_000 / max(result["until_last"]), reads


async def _reads(redis: Redis) -> int:
    stats = await redis.info("commandstats")
    return int(stats.get("cmdstat_xrange", {}).get("calls", 0))


async def most(env: BenchEnvironment) -> list[Row]:
    """The most deliveries: 1,000 subscribers of all events, and events in one commit."""
    runs = [await _rate(env, 1, clients=1000, name=str(n)) for n in range(env.runs)]
    own, clock = zip(*runs, strict=True)
    what = "most delivered events/s, 1,000 × `*`, one core"
    return [
        row("own", what, "/s", own, 1_200_000, better="higher"),
        row("clock", "… by the clock, clients on the same machine", "/s", clock, better="higher"),
    ]


async def replicas(env: BenchEnvironment) -> list[Row]:
    """Compare three replicas with one: 1,500 subscribers of all events each, at full speed."""
    one, three = [], []
    for n in range(env.runs):
        one.append((await _rate(env, 1, clients=1500, name=f"1-{n}"))[1])
        three.append((await _rate(env, 3, clients=1500, name=f"3-{n}"))[1])
    return [
        row("one", "delivered events/s, one replica with 1,500 × `*`", "/s", one, better="higher"),
        row("three", "… three replicas", "/s", three, better="higher"),
    ]


async def _rate(
    env: BenchEnvironment, count: int, *, clients: int, name: str
) -> tuple[float, float]:
    """Deliveries per second of the fanouts' CPU, and per second."""
    own = replace(env, keys=Keys(f"{env.keys.namespace}-{name}"))
    with ExitStack() as stack:
        servers = [
            stack.enter_context(processes.fanout(own.redis_url, own.keys, own.folder))
            for _ in range(count)
        ]
        return await _delivered(own, servers, clients)


async def _delivered(
    env: BenchEnvironment, servers: Sequence[Server], clients: int
) -> tuple[float, float]:
    publisher = env.publisher(10)
    await publisher.prepare()
    with ExitStack() as stack:
        swarms = [
            stack.enter_context(closing(Swarm(each.port, [ALL] * clients, expected=_BURST)))
            for each in servers
        ]
        for swarm in swarms:
            await swarm.connected()
        cpu, began = sum(server.cpu() for server in servers), time.monotonic()
        await publisher.publish(_BURST)
        result = joined([await swarm.finished() for swarm in swarms])
        cpu = sum(server.cpu() for server in servers) - cpu
    check(result, _BURST)
    await publisher.close()
    deliveries = _BURST * clients * len(servers)
    return deliveries / cpu, deliveries / (max(result["last_event_at"]) - began)
