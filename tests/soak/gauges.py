"""What is measured of each process while it lives: memory and descriptors, as Linux counts them."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from redis.asyncio import Redis

from tests.soak.slope import Samples
from tests.support.pace import last

MEGABYTE = 1 << 20


def memory_of(pid: int) -> float:
    """Megabytes that are its own, its share of what it shares included (Pss)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.M)
    assert found
    return int(found[1]) / 1024


def descriptors_of(pid: int) -> int:
    """How many files it has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - names only, it is /proc


@dataclass(slots=True)
class Gauge:
    """The samples of one process."""

    memory: list[tuple[float, float]] = field(default_factory=list)
    descriptors: list[tuple[float, float]] = field(default_factory=list)

    def take(self, at: float, pid: int) -> None:
        """One sample of each."""
        self.memory.append((at, memory_of(pid)))
        self.descriptors.append((at, descriptors_of(pid)))

    def both(self) -> tuple[Samples, Samples]:
        """Memory in megabytes, descriptors."""
        return self.memory, self.descriptors


async def watch(pids: dict[str, int], gauges: dict[str, Gauge], every: float) -> None:
    """Sample until cancelled."""
    began = time.monotonic()
    while True:
        at = time.monotonic() - began
        for name, pid in pids.items():
            gauges.setdefault(name, Gauge()).take(at, pid)
        await last(every)


async def kinds_of_keys(redis: Redis, prefix: str) -> Counter[str]:
    """How many keys of each kind there are."""
    kinds: Counter[str] = Counter()
    async for key in redis.scan_iter(f"{prefix}*", count=1000):
        kinds[key.decode().removeprefix(prefix).partition(":")[0]] += 1
    return kinds


async def gathered(*tasks: asyncio.Task[None]) -> None:
    """Raise what ended a task before its time."""
    for task in tasks:
        if task.done():
            task.result()
