"""Samples of the memory and the descriptors of processes while they run (Linux)."""

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
    """The memory in megabytes (Pss): private pages plus a share of each shared page."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.M)
    assert found
    return int(found[1]) / 1024


def descriptors_of(pid: int) -> int:
    """The number of open files."""
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - names only, it is /proc


@dataclass(slots=True)
class ProcessSamples:
    """The samples of one process."""

    memory: list[tuple[float, float]] = field(default_factory=list)
    descriptors: list[tuple[float, float]] = field(default_factory=list)

    def add(self, at: float, pid: int) -> None:
        """Add one sample of memory and one of descriptors."""
        self.memory.append((at, memory_of(pid)))
        self.descriptors.append((at, descriptors_of(pid)))

    def series(self) -> tuple[Samples, Samples]:
        """The samples of the memory in megabytes, and those of the descriptors."""
        return self.memory, self.descriptors


async def watch(pids: dict[str, int], samples: dict[str, ProcessSamples], every: float) -> None:
    """Add samples until cancelled."""
    began = time.monotonic()
    while True:
        at = time.monotonic() - began
        for name, pid in pids.items():
            samples.setdefault(name, ProcessSamples()).add(at, pid)
        await last(every)


async def count_keys(redis: Redis, prefix: str) -> Counter[str]:
    """The number of keys of each kind."""
    kinds: Counter[str] = Counter()
    async for key in redis.scan_iter(f"{prefix}*", count=1000):
        kinds[key.decode().removeprefix(prefix).partition(":")[0]] += 1
    return kinds


async def raise_failures(*tasks: asyncio.Task[None]) -> None:
    """Raise the error of a task that has ended early."""
    for task in tasks:
        if task.done():
            task.result()
