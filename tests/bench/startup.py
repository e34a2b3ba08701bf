"""What the start of a fanout costs: the time until it is ready, its CPU time, and its memory."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

import aiohttp

from tests.bench import processes
from tests.bench.environment import BenchEnvironment
from tests.bench.processes import Server
from tests.bench.rows import Row, row

_MB = 1 << 20


class Start(NamedTuple):
    """Seconds until /readyz answered 200, and CPU seconds and resident bytes at that time."""

    ready: float
    cpu: float
    rss: int


async def startup(env: BenchEnvironment) -> list[Row]:
    """Start a fanout of a namespace that exists."""
    publisher = env.publisher(10)
    await publisher.prepare()
    await publisher.close()
    await _start(env)  # the first start reads all files from the disk, and is not counted
    starts = [await _start(env) for _ in range(env.runs)]
    return [
        row("ready", "start of a fanout → ready", "s", [s.ready for s in starts], 0.5),
        row("cpu", "… CPU time until then", "s", [s.cpu for s in starts]),
        row("rss", "… resident memory then", "MB", [s.rss / _MB for s in starts], 50),
    ]


async def _start(env: BenchEnvironment) -> Start:
    began = time.monotonic()
    process, port = processes.start_fanout(env.redis_url, env.keys, env.folder)
    server = Server(process.pid, port)
    try:
        async with asyncio.timeout(30), aiohttp.ClientSession() as session:
            while not await _is_ready(session, port):  # noqa: ASYNC110 - it polls the server
                await asyncio.sleep(0.005)
        return Start(time.monotonic() - began, server.cpu(), server.rss())
    finally:
        processes.end(process)


async def _is_ready(session: aiohttp.ClientSession, port: int) -> bool:
    try:
        async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False
