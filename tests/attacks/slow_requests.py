"""Requests that never end: bodies, first heads, and second heads of a connection.

Each connection sends one more byte every few seconds.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from tests.attacks.figure import Figure
from tests.attacks.half_sent import HalfSent, open_after
from tests.attacks.target import Wallet, target
from tests.deploy.gateways import installed_kinds, local_gateway

_NAME = "slow requests"
_COUNT = 300
_KINDS = {"bodies": HalfSent.BODY, "first heads": HalfSent.HEAD, "second heads": HalfSent.SECOND}


async def attack(folder: Path, seconds: float = 30.0, count: int = _COUNT) -> list[Figure]:
    """How many are still open after this time."""
    async with target(folder) as system, aiohttp.ClientSession() as session:
        await system.start("api", "fanout")
        headers = Wallet(system, session).headers
        api, fanout = (system.services[name].port for name in ("api", "fanout"))
        found = await _all({"api": api, "fanout": fanout}, headers, seconds, count)
        if "nginx" in installed_kinds(["nginx"]):
            hosts = [f"127.0.0.1:{fanout}"]
            async with local_gateway("nginx", folder / "gateway", hosts, f"127.0.0.1:{api}") as one:
                found |= await _all({"nginx": one.port}, headers, seconds, count)
    return [
        Figure(_NAME, f"{count} {kind} at {name}, open after {seconds:g} s", left, "", 0)
        for (name, kind), left in found.items()
    ]


async def _all(
    ports: dict[str, int], headers: dict[str, str], seconds: float, count: int
) -> dict[tuple[str, str], int]:
    opened = {
        (name, kind): [await HalfSent.connect(port, data, headers) for _ in range(count)]
        for name, port in ports.items()
        for kind, data in _KINDS.items()
    }
    left = await asyncio.gather(
        *(open_after(seconds, connections) for connections in opened.values())
    )
    return dict(zip(opened, left, strict=True))
