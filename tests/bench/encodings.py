"""The CPU time and the bytes of a delivery in each encoding."""

from __future__ import annotations

from tests.bench import processes
from tests.bench.deliveries import Delivery, measure_delivery
from tests.bench.environment import BenchEnvironment
from tests.bench.rows import Row, ratio, row

_VARIANTS = {
    "plain": ("plain", "", ""),
    "compact": ("`view=compact`", "&view=compact", ""),
    "gzip": ("gzip", "", "Accept-Encoding: gzip\r\n"),
    "both": ("gzip and `view=compact`", "&view=compact", "Accept-Encoding: gzip\r\n"),
}


async def encodings(env: BenchEnvironment) -> list[Row]:
    """5,000 subscribers of all events, 10 events/s. The encodings run in turn."""
    publisher = env.publisher(10)
    await publisher.prepare()
    measured: dict[str, list[Delivery]] = {name: [] for name in _VARIANTS}
    for _ in range(env.runs):
        for name, (_what, query, headers) in _VARIANTS.items():
            with processes.fanout(env.redis_url, env.keys, env.folder, GZIP="true") as server:
                one = await measure_delivery(server, publisher, query=query, headers=headers)
            measured[name].append(one)
    await publisher.close()
    plain = [each.us for each in measured["plain"]]
    return [made for name in _VARIANTS for made in _rows(name, measured[name], plain)]


def _rows(name: str, measured: list[Delivery], plain: list[float]) -> list[Row]:
    what = _VARIANTS[name][0]
    us = [each.us for each in measured]
    rows = [
        row(f"{name}-bytes", f"a delivery, {what}", "bytes", [each.size for each in measured]),
        row(f"{name}-us", "… CPU", "µs", us),
    ]
    return rows if name == "plain" else [*rows, ratio(name, "… CPU against plain", us, plain)]
