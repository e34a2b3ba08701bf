"""The cost of many open connections: memory for each, and CPU while no events occur."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from functools import partial
from typing import NamedTuple

import jwt

from tests.bench import processes
from tests.bench.environment import ALL, BenchEnvironment
from tests.bench.floor import floor
from tests.bench.peers import nchan
from tests.bench.processes import Server
from tests.bench.publish import recipient, sender
from tests.bench.rows import Row, ratio, row
from tests.bench.swarm import CONNECTED, Swarm, check

_CLIENTS = 10_000
_SYNC = 190
"""The size of a `sync` event in bytes."""

_SYNC_SECONDS = 15
"""Every connection gets one in this time: the default of SYNC_SECONDS."""


class Held(NamedTuple):
    """Memory for each connection in KB and of the server in MB, CPU in percent of a core.

    The last number is the connections that were opened a second.
    """

    kb: float
    mb: float
    idle: float
    handshakes: float


async def memory_and_idle(env: BenchEnvironment) -> list[Row]:
    """Memory of 10,000 idle connections, and CPU for their heartbeats."""
    ours, floors, nchans = [], [], []
    for _ in range(env.runs):
        start = partial(processes.fanout, env.redis_url, env.keys, env.folder)
        ours.append(await _hold(start, [ALL] * _CLIENTS))
        floors.append(await _floor())
        if nchan.INSTALLED:
            paths = [nchan.path("all")] * _CLIENTS
            nchans.append(await _hold(partial(nchan.nchan, env), paths, nchan.GREETING))
    kb, mb, idle, handshakes = zip(*ours, strict=True)
    nchan_kb, nchan_idle = [each.kb for each in nchans], [each.idle for each in nchans]
    return [
        row("kb", "memory a connection, 10,000 × `*`, idle", "KB", kb, 0.8),
        row("mb", "… RSS of the fanout then", "MB", mb),
        row("nchan-kb", "… Nchan", "KB", nchan_kb),
        ratio("nchan-memory", "… against Nchan", kb, nchan_kb),
        row("idle", "CPU idle, 10,000 connections, heartbeat 15 s", "% of a core", idle, 1.0),
        row("c-idle", "… a C program that only sends as many", "% of a core", floors),
        ratio("c", "… against the C program", idle, floors),
        row("nchan-idle", "… Nchan, ping interval 15 s", "% of a core", nchan_idle),
        ratio("nchan", "… against Nchan", idle, nchan_idle),
        row("handshakes", "handshakes, two client processes", "/s", handshakes, better="higher"),
    ]


async def _hold(
    start: Callable[[], AbstractContextManager[Server]],
    paths: Sequence[str],
    greeting: str = CONNECTED,
) -> Held:
    with start() as server:
        before = await _warm(server, paths, greeting)
        with closing(Swarm(server.port, paths, greeting=greeting)) as swarm:
            connected, seconds = await swarm.connected()
            await asyncio.sleep(3)
            rss = server.rss()
            cpu, began = server.cpu(), time.monotonic()
            await asyncio.sleep(_SYNC_SECONDS)
            idle = (server.cpu() - cpu) / (time.monotonic() - began)
            check(await swarm.stop(), 0)
    kb = (rss - before) / 1024 / connected
    return Held(kb, rss / 1024**2, idle * 100, connected / seconds)


async def _floor() -> float:
    """CPU in percent of a core: for a third of the time, so many sends a second as heartbeats."""
    rate = 10
    share = _CLIENTS // (_SYNC_SECONDS * rate)
    us, _ = await floor(_SYNC, clients=_CLIENTS, rate=rate, share=share, seconds=_SYNC_SECONDS / 3)
    return us * _CLIENTS / _SYNC_SECONDS / 1e6 * 100


async def memory_with_tokens(env: BenchEnvironment) -> list[Row]:
    """Memory of 10,000 idle connections, each with a token and its own three topics."""
    publisher = env.publisher(_CLIENTS)
    await publisher.prepare()
    await publisher.close()
    kb = [await _memory_with_tokens(env) for _ in range(env.runs)]
    what = "memory a connection, 10,000, idle, token and three topics of its own"
    return [row("kb", what, "KB", kb, 1.5)]


async def _memory_with_tokens(env: BenchEnvironment) -> float:
    secret = "benchmark-" * 4
    settings = {"AUTH_MODE": "required", "JWT_SECRET": secret, "RING_EVENTS": 1}
    paths = [_own_path(n, secret) for n in range(1, _CLIENTS + 1)]
    with processes.fanout(env.redis_url, env.keys, env.folder, **settings) as server:
        before = await _warm(server, paths)
        with closing(Swarm(server.port, paths)) as swarm:
            connected, _ = await swarm.connected()
            await asyncio.sleep(3)
            kb = (server.rss() - before) / 1024 / connected
            check(await swarm.stop(), 0)
    return kb


async def _warm(server: Server, paths: Sequence[str], greeting: str = CONNECTED) -> int:
    """The resident bytes after a first group of connections has opened and closed."""
    with closing(Swarm(server.port, paths[:200], greeting=greeting)) as swarm:
        await swarm.connected()
        await swarm.stop()
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
