"""The CPU time and the bytes of a delivery in each encoding."""

from __future__ import annotations

import asyncio
import statistics

from tests.bench import processes
from tests.bench.environment import ALL, BenchEnvironment, Row
from tests.bench.processes import Swarm, check
from tests.bench.publish import Publisher

_CLIENTS = 5000
_VARIANTS = {
    "plain": ("", ""),
    "`view=compact`": ("&view=compact", ""),
    "gzip": ("", "Accept-Encoding: gzip\r\n"),
    "gzip and `view=compact`": ("&view=compact", "Accept-Encoding: gzip\r\n"),
}


async def encodings(env: BenchEnvironment) -> list[Row]:
    """5,000 subscribers of all events, 10 events/s. The encodings run in turn; medians of three."""
    publisher = env.publisher(10)
    await publisher.prepare()
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in _VARIANTS}
    for _ in range(3):
        for name, (query, headers) in _VARIANTS.items():
            measured[name].append(await _measure(env, publisher, query, headers))
    await publisher.close()
    return [_row(name, values, measured["plain"]) for name, values in measured.items()]


def _row(name: str, values: list[tuple[float, float]], plain: list[tuple[float, float]]) -> Row:
    us, size = (statistics.median(column) for column in zip(*values, strict=True))
    base, _ = (statistics.median(column) for column in zip(*plain, strict=True))
    return (f"a delivery, {name}", "", f"{us:.2f} µs ({us / base:.2f}), {size:.0f} bytes")


async def _measure(
    env: BenchEnvironment, publisher: Publisher, query: str, headers: str
) -> tuple[float, float]:
    """CPU µs of the fanout and bytes read by a client, for each delivered event."""
    with processes.fanout(env.redis_url, env.keys, env.folder, GZIP="true") as server:
        swarm = Swarm(server.port, [ALL + query] * _CLIENTS, headers=headers)
        try:
            await swarm.connected()
            before, cpu = len(publisher.published), server.cpu()
            await publisher.run(rate=10, seconds=8)
            await asyncio.sleep(0.5)
            used = server.cpu() - cpu
            result = await swarm.stop()
        finally:
            swarm.close()
    count = len(publisher.published) - before
    check(result, count)
    return used * 1e6 / (count * _CLIENTS), sum(result["bytes"]) / (count * _CLIENTS)
