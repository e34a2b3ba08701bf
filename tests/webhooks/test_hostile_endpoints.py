"""A dispatcher with ten good endpoints and more hostile ones.

The good ones' delay from the commit and the memory of the dispatcher stay as they were. By night it
takes ten minutes, and the 99th percentile of the delays is compared too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from shared.webhooks.endpoint import Endpoint
from tests.bench.processes import Server, percentile
from tests.bench.webhook_receiver import Receiver, receiving
from tests.support.pace import last
from tests.support.processes import running
from tests.support.tier import at_length
from tests.support.waiting import until
from tests.webhooks.receivers.certificates import Authority
from tests.webhooks.receivers.hostile import good, hostile, hostile_process
from tests.webhooks.world import World, environment

pytestmark = [pytest.mark.io, pytest.mark.timeout(at_length(180, 1_200))]

ALONE, BESIDE = at_length(4.0, 60.0), at_length(6.0, 600.0)
"""Seconds of commits, without and with the hostile ones."""
MARGINS = ((0.5, 0.5), (0.9, 2.0), *at_length((), ((0.99, 0.1),)))
"""A part of the delays, and by how many seconds it may be longer beside hostile ones.

A busy machine delays a few. A hostile receiver that holds others up costs ten seconds.
"""
ROUNDS = at_length(3, 1)
"""A machine that stands still for some seconds delays one round. A hostile receiver delays each."""
GOOD = [f"good{n}" for n in range(10)]
_MOST_GROWTH = 32 << 20
"""Bytes."""


async def _delays(world: World, receiver: Receiver, seconds: float) -> list[float]:
    """Commit an event every now and then. The delays at the good endpoints, in seconds."""
    loop, count = asyncio.get_running_loop(), 0
    end = loop.time() + seconds
    while loop.time() < end:
        await world.commit()
        count += 1
        await last(0.1)
    return [each for name in GOOD for each in await receiver.got(name, count)]


async def _tls_endpoints(stack: AsyncExitStack, folder: Path) -> Sequence[str]:
    """URLs of receivers with an expired, a self-signed and another host's certificate."""
    authority = Authority(folder)
    contexts = (
        authority.server("127.0.0.1", days=-1),
        authority.server("127.0.0.1", self_signed=True),
        authority.server("evil.example"),
    )
    ports = [await stack.enter_async_context(hostile(good, each)) for each in contexts]
    return [f"https://127.0.0.1:{port}/" for port in ports]


async def test_good_endpoints_do_not_notice_hostile_ones(
    redis_url: str, world: World, tmp_path: Path
) -> None:
    """Also URLs that must not be used, and a name that does not exist."""
    settings = environment(redis_url, world.keys, webhook_seconds="10")
    async with (
        AsyncExitStack() as stack,
        receiving() as receiver,
        hostile_process() as ports,
        running("services.webhooks", **settings) as process,
    ):
        server = Server(process.pid, process.port)
        urls = [f"http://127.0.0.1:{port}/" for name, port in ports.items() if name != "good"]
        urls += await _tls_endpoints(stack, tmp_path)
        urls += ["https://10.0.0.1/", "https://nothing.invalid/"]
        for name in GOOD:
            await world.add(receiver.url(name))
        await world.commit()
        for name in GOOD:
            await receiver.got(name, 1)
        alone = await _delays(world, receiver, ALONE)
        bad = [await world.add(url) for url in urls]
        await until(
            lambda: _has_failed(world, bad[1]), seconds=60, what="a failure of the silent one"
        )
        for name in GOOD:
            await receiver.numbers(name)
        before = server.rss()
        for _ in range(ROUNDS):
            late = _later(alone, await _delays(world, receiver, BESIDE))
            if not late:
                break
        grown = server.rss() - before
    assert not late
    assert grown < _MOST_GROWTH, f"{grown / 1e6:.0f} MB more"


def _later(alone: Sequence[float], beside: Sequence[float]) -> list[str]:
    """Which parts of the delays were longer beside hostile ones than they may be."""
    late = []
    for part, more in MARGINS:
        usual, now = (percentile(each, part) for each in (alone, beside))
        if now > usual + more:
            late.append(f"{part:.0%}: {usual:.3f} s alone, {now:.3f} s beside")
    return late


async def _has_failed(world: World, endpoint: Endpoint) -> bool:
    progress = await world.progress(endpoint)
    return progress is not None and progress.failures > 0
