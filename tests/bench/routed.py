"""10,000 connections with one topic each, and 1,000 events/s that go to two connections each."""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import NamedTuple

from tests.bench import processes
from tests.bench.environment import BenchEnvironment
from tests.bench.floor import floor
from tests.bench.peers import nchan
from tests.bench.processes import Server, milliseconds
from tests.bench.publish import Publisher, at_rate, recipient
from tests.bench.rows import Row, ratio, row
from tests.bench.swarm import Swarm, check

_STREAMS = 5000
_RATE = 1000
_SECONDS = _STREAMS / _RATE
_FRAME = 1300


class Routed(NamedTuple):
    """CPU in percent of a core, and the latency in ms."""

    cpu: float
    p50: float
    p99: float


async def routed(env: BenchEnvironment) -> list[Row]:
    """Each stream gets two events. Each goes to the stream's topic and to its recipient's."""
    publisher = env.publisher(_STREAMS)
    await publisher.prepare()
    ours, floors, nchans = [], [], []
    for _ in range(env.runs):
        ours.append(await _fanout(env, publisher))
        floors.append(await _floor(publisher))
        if nchan.INSTALLED:
            nchans.append(await _nchan(env))
    await publisher.close()
    cpu, p50, p99 = zip(*ours, strict=True)
    c_cpu, c_p50, c_p99 = zip(*floors, strict=True)
    n_cpu, n_p50, n_p99 = zip(*nchans, strict=True) if nchans else ((), (), ())
    return [
        row("cpu", "10,000 × own topic, 1,000 events/s to two each: CPU", "% of a core", cpu, 12),
        row("p50", "… commit → client, p50", "ms", p50, 0.25),
        row("p99", "… p99", "ms", p99, 0.8),
        row("c-cpu", "… a C program that only sends: CPU", "% of a core", c_cpu),
        row("c-p50", "… … pipe → client, p50", "ms", c_p50),
        row("c-p99", "… … p99", "ms", c_p99),
        ratio("c", "… CPU against the C program", cpu, c_cpu),
        row("nchan-cpu", "… Nchan, two publishes an event: CPU", "% of a core", n_cpu),
        row("nchan-p50", "… … publish → client, p50", "ms", n_p50),
        row("nchan-p99", "… … p99", "ms", n_p99),
        ratio("nchan", "… CPU against Nchan", cpu, n_cpu),
        ratio("nchan-latency", "… p50 against Nchan", p50, n_p50),
    ]


async def _fanout(env: BenchEnvironment, publisher: Publisher) -> Routed:
    paths = [f"/v1/events/subscribe?streams={n}" for n in range(1, _STREAMS + 1)]
    paths += [f"/v1/events/subscribe?users={recipient(n)}" for n in range(1, _STREAMS + 1)]
    with processes.fanout(env.redis_url, env.keys, env.folder) as server:
        return await _measure(server, Swarm(server.port, paths, expected=2), publisher.publish)


async def _measure(server: Server, swarm: Swarm, publish: Callable[[], Awaitable[None]]) -> Routed:
    """Raises RuntimeError unless each connection gets its two events."""
    with closing(swarm):
        await swarm.connected()
        cpu, began = server.cpu(), time.monotonic()
        await at_rate(_RATE, 2 * _SECONDS, publish)
        used = (server.cpu() - cpu) / (time.monotonic() - began)
        result = await swarm.finished()
    check(result, 2)
    return Routed(used * 100, *milliseconds(result["latencies"]))


async def _floor(publisher: Publisher) -> Routed:
    """Events are committed too, so that Redis and the publisher are as busy as with a fanout."""
    us, latencies = await floor(
        _FRAME,
        clients=2 * _STREAMS,
        rate=_RATE,
        share=2,
        seconds=2 * _SECONDS,
        also=publisher.publish,
    )
    return Routed(us * 2 * _RATE / 1e6 * 100, *milliseconds(latencies))


async def _nchan(env: BenchEnvironment) -> Routed:
    paths = [nchan.path(f"{kind}{n}") for kind in ("stream", "user") for n in range(_STREAMS)]
    with nchan.nchan(env) as worker:
        async with nchan.publisher(worker, 2) as publisher:
            numbers = itertools.count()

            async def publish() -> None:
                n = next(numbers) % _STREAMS
                await publisher.publish([f"stream{n}", f"user{n}"], _FRAME)

            swarm = Swarm(worker.port, paths, expected=2, greeting=nchan.GREETING)
            return await _measure(worker, swarm, publish)
