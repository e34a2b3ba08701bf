"""Delivery: filtered events, latency of one subscriber, a reconnect storm, several replicas."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from redis.asyncio import Redis

from shared.journal.keys import Keys
from tests.bench import processes
from tests.bench.environment import ALL, BenchEnvironment, Row
from tests.bench.processes import Server, Swarm, check, percentile
from tests.bench.publish import recipient


async def routed(env: BenchEnvironment) -> list[Row]:
    """10,000 connections with one topic each, and 1,000 events/s that match two each."""
    publisher = env.publisher(5000)
    await publisher.prepare()
    paths = [f"/v1/events/subscribe?streams={n}" for n in range(1, 5001)]
    paths += [f"/v1/events/subscribe?users={recipient(n)}" for n in range(1, 5001)]
    with processes.fanout(env.redis_url, env.keys, env.folder) as server:
        swarm = Swarm(server.port, paths)
        try:
            await swarm.connected()
            cpu, began = server.cpu(), time.monotonic()
            rate = await publisher.run(rate=1000, seconds=10)
            await asyncio.sleep(0.5)
            used = (server.cpu() - cpu) / (time.monotonic() - began)
            result = await swarm.stop()
        finally:
            swarm.close()
    check(result, len(publisher.published) // 5000)
    await publisher.close()
    what = f"10,000 × own topic, {rate:.0f} events/s matching two each"
    return [(what, "≤ 10 % of a core", f"{used:.1%}")]


async def latency(env: BenchEnvironment) -> list[Row]:
    """The latency from the commit to the last byte at the only client of an idle machine."""
    publisher = env.publisher(10)
    await publisher.prepare()
    with processes.fanout(env.redis_url, env.keys, env.folder) as server:
        swarm = Swarm(server.port, [ALL])
        try:
            await swarm.connected()
            before = len(publisher.published)
            await publisher.run(rate=50, seconds=10)
            result = await swarm.stop()
        finally:
            swarm.close()
    check(result, len(publisher.published) - before)
    await publisher.close()
    p50, p99 = (percentile(result["latencies"], p) * 1000 for p in (0.5, 0.99))
    return [("commit → client, one subscriber", "p99 ≤ 3 ms", f"p50 {p50:.2f}, p99 {p99:.2f} ms")]


async def storm(env: BenchEnvironment) -> list[Row]:
    """10,000 clients resume at once with Last-Event-ID. Each missed 20 events."""
    publisher = env.publisher(10)
    await publisher.prepare()
    with processes.fanout(env.redis_url, env.keys, env.folder) as server:
        await publisher.publish(21)
        await asyncio.sleep(1)
        last_seen = publisher.published[-21]
        redis = Redis.from_url(env.redis_url)
        reads, cpu = await _reads(redis), server.cpu()
        headers = f"Last-Event-ID: {last_seen}\r\n"
        swarm = Swarm(server.port, [ALL] * 10_000, headers=headers, expected=20, at_once=2000)
        try:
            await swarm.connected()
            result = await swarm.result()
            used = server.cpu() - cpu
        finally:
            swarm.close()
        reads = await _reads(redis) - reads
        await redis.aclose()
    check(result, 20)
    await publisher.close()
    wall = max(result["until_last"])
    return [
        ("reconnect storm, 10,000 × 20 missed", "≥ 3,000/s of a core", f"{10_000 / used:.0f}/s"),
        ("… by the clock, client on the same machine", "", f"{10_000 / wall:.0f}/s"),
        ("… journal reads in Redis meanwhile", "O(1)", f"{reads}"),
    ]


async def _reads(redis: Redis) -> int:
    stats = await redis.info("commandstats")
    return int(stats.get("cmdstat_xrange", {}).get("calls", 0))


async def replicas(env: BenchEnvironment) -> list[Row]:
    """Compare three replicas with one: 1,500 subscribers of all events each, at full speed."""
    rates = {}
    for count in (1, 3):
        own = replace(env, keys=Keys(f"{env.keys.namespace}-{count}"))
        with ExitStack() as stack:
            servers = [
                stack.enter_context(processes.fanout(own.redis_url, own.keys, own.folder))
                for _ in range(count)
            ]
            rates[count] = await _delivered(own, servers)
    what = "delivered events/s, three replicas against one"
    return [(what, "until the cores run out", f"{rates[3]:.0f} against {rates[1]:.0f}")]


async def _delivered(env: BenchEnvironment, servers: Sequence[Server]) -> float:
    publisher = env.publisher(10)
    await publisher.prepare()
    swarms = [Swarm(server.port, [ALL] * 1500, expected=200) for server in servers]
    try:
        for swarm in swarms:
            await swarm.connected()
        began = time.monotonic()
        await publisher.publish(200)
        results = [await swarm.result() for swarm in swarms]
        took = max(max(r["last_event_at"]) for r in results) - began
    finally:
        for swarm in swarms:
            swarm.close()
    for result in results:
        check(result, 200)
    await publisher.close()
    return 200 * 1500 * len(servers) / took
