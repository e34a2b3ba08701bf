"""A flood of malformed requests, to fill the logs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from tests.attacks.figure import Figure
from tests.attacks.half_sent import HalfSent
from tests.attacks.target import target
from tests.support.processes import ServiceProcess

_NAME = "logs"
_AT_ONCE = 8
_GARBAGE = b"GET / HTTP/9.9\r\nX: \x01\r\n\r\n"


async def attack(folder: Path, seconds: float = 5.0) -> list[Figure]:
    """The log lines of each service."""
    async with target(folder) as system:
        await system.start("api", "fanout")
        return [await _one(name, system.services[name], seconds) for name in ("api", "fanout")]


async def _one(name: str, service: ServiceProcess, seconds: float) -> Figure:
    before, sent = _lines(service), 0
    ends = time.monotonic() + seconds

    async def send() -> None:
        nonlocal sent
        while time.monotonic() < ends:
            half = await HalfSent.connect(service.port, _GARBAGE)
            async with asyncio.timeout(10):
                await half.closed.wait()
            half.close()
            sent += 1

    await asyncio.gather(*(send() for _ in range(_AT_ONCE)))
    lines = (_lines(service) - before) / seconds
    measured = f"log lines of the {name} for {sent / seconds:.0f} malformed requests a second"
    return Figure(_NAME, measured, lines, "a second", 20)


def _lines(service: ServiceProcess) -> int:
    return len(service.log) + len(service.noise)
