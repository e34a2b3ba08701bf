"""The CPU time and the bytes of a delivery in each encoding."""

from __future__ import annotations

import statistics

from tests.bench import processes
from tests.bench.deliveries import Delivery, measure_delivery
from tests.bench.environment import BenchEnvironment, Row

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
    measured: dict[str, list[Delivery]] = {name: [] for name in _VARIANTS}
    for _ in range(3):
        for name, (query, headers) in _VARIANTS.items():
            with processes.fanout(env.redis_url, env.keys, env.folder, GZIP="true") as server:
                one = await measure_delivery(server, publisher, query=query, headers=headers)
            measured[name].append(one)
    await publisher.close()
    return [_row(name, values, measured["plain"]) for name, values in measured.items()]


def _row(name: str, measured: list[Delivery], plain: list[Delivery]) -> Row:
    us = statistics.median(each.us for each in measured)
    size = statistics.median(each.size for each in measured)
    base = statistics.median(each.us for each in plain)
    return (f"a delivery, {name}", "", f"{us:.2f} µs ({us / base:.2f}), {size:.0f} bytes")
