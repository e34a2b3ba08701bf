"""The cost of many open connections: memory for each, and CPU while no events occur."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import jwt

from tests.bench import processes
from tests.bench.environment import ALL, BenchEnvironment, Row
from tests.bench.floor import floor
from tests.bench.processes import Server, Swarm, check
from tests.bench.publish import recipient, sender

_SYNC = 190
"""The size of a `sync` event in bytes."""


async def memory_and_idle(env: BenchEnvironment) -> list[Row]:
    """Memory of 10,000 idle connections, and CPU for their heartbeats."""
    with processes.fanout(env.redis_url, env.keys, env.folder) as server:
        before = await _warm(server, [ALL] * 200)
        swarm = Swarm(server.port, [ALL] * 10_000)
        try:
            connected, seconds = await swarm.connected()
            await asyncio.sleep(3)
            kb = (server.rss() - before) / 1024 / connected
            cpu, began = server.cpu(), time.monotonic()
            await asyncio.sleep(15)
            idle = (server.cpu() - cpu) / (time.monotonic() - began)
            check(await swarm.stop(), 0)
        finally:
            swarm.close()
    send = await floor(env, _SYNC, rate=4, share=10_000 // (4 * 15), clients=10_000)
    return [
        ("memory per idle connection, 10,000 × `*`", "≤ 1 KB", f"{kb:.2f} KB"),
        ("CPU idle at 10,000, heartbeats on", "≤ 1 %", f"{idle:.2%}"),
        ("… a C program that only sends as many", "", f"{send * 10_000 / 15 / 1e6:.2%}"),
        ("handshakes, one client process", "", f"{connected / seconds:.0f}/s"),
    ]


async def memory_with_tokens(env: BenchEnvironment) -> list[Row]:
    """Memory of 10,000 idle connections, each with a token and its own three topics."""
    secret = "benchmark-" * 4
    publisher = env.publisher(10_000)
    await publisher.prepare()
    settings = {"AUTH_MODE": "required", "JWT_SECRET": secret, "RING_EVENTS": 1}
    with processes.fanout(env.redis_url, env.keys, env.folder, **settings) as server:
        paths = [_own_path(n, secret) for n in range(1, 10_001)]
        before = await _warm(server, paths)
        swarm = Swarm(server.port, paths)
        try:
            connected, _ = await swarm.connected()
            await asyncio.sleep(3)
            kb = (server.rss() - before) / 1024 / connected
            check(await swarm.stop(), 0)
        finally:
            swarm.close()
    await publisher.close()
    what = "memory per idle connection, token and three topics of its own"
    return [(what, "≤ 2 KB", f"{kb:.2f} KB")]


async def _warm(server: Server, paths: Sequence[str]) -> int:
    """The resident bytes after a first group of connections has opened and closed."""
    swarm = Swarm(server.port, paths[:200])
    await swarm.connected()
    await swarm.stop()
    swarm.close()
    await asyncio.sleep(1)
    return server.rss()


def _own_path(number: int, secret: str) -> str:
    claims = {
        "sub": recipient(number),
        "iss": "headrace",
        "aud": "headrace",
        "iat": int(time.time()),
        "exp": int(time.time()) + 3600,
        "jti": f"{number:032x}",
        "scope": "events:all",
    }
    token = jwt.encode(claims, secret, "HS256")
    topics = f"streams={number}&users={recipient(number)}&users={sender(number)}"
    return f"/v1/events/subscribe?{topics}&access_token={token}"
