"""Subscribers that resume from the oldest event and read nothing."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import ExitStack
from pathlib import Path

import aiohttp

from tests.attacks.figure import Figure
from tests.attacks.history import fill
from tests.attacks.target import Target, Wallet, target
from tests.fanout.replicas import SUBSCRIBE
from tests.soak.gauges import memory_of
from tests.support.pace import last
from tests.support.sse_client import SseClient

_NAME = "slow readers"
_COUNT = 400
_ACCOUNTS = 4
_STAY = 10.0
"""Seconds for which the memory is sampled."""
_ENDED = 60.0
"""Seconds after which all of them must be disconnected."""


async def attack(folder: Path) -> list[Figure]:
    """400 subscribers of one account, then of four accounts."""
    async with target(folder) as system, aiohttp.ClientSession() as session:
        await system.start("api", "fanout")
        wallets = [Wallet(system, session, "events:all") for _ in range(_ACCOUNTS)]
        await fill(system, wallets[0].account, 200, 1500)
        return await _slow(system, wallets[:1]) + await _slow(system, wallets)


async def _slow(system: Target, wallets: list[Wallet]) -> list[Figure]:
    fanout = system.services["fanout"]
    before, began = memory_of(fanout.pid), time.monotonic()
    connected, kernel, memory = 0, 0.0, before
    with ExitStack() as stack:
        await asyncio.gather(
            *(_subscribe(fanout.port, wallets[n % len(wallets)], stack) for n in range(_COUNT))
        )
        while time.monotonic() < began + _STAY:
            connected = max(connected, await _connections(system))
            kernel = max(kernel, unsent_in_kernel(fanout.port) / (1 << 20))
            memory = max(memory, memory_of(fanout.pid))
            await last(0.2)
        while await _connections(system) and time.monotonic() < began + _ENDED:
            await last(0.5)
        seconds = time.monotonic() - began
    who = f"{_COUNT} slow subscribers, accounts: {len(wallets)}"
    return [
        Figure(_NAME, f"{who}: accepted", connected, "", 100 * len(wallets)),
        Figure(_NAME, f"{who}: unsent in the kernel", kernel, "MB", 0.1 * _COUNT),
        Figure(_NAME, f"{who}: memory, from {before:.0f} MB", memory, "MB", before + 100),
        Figure(_NAME, f"{who}: connected for", seconds, "s", _ENDED - 1),
    ]


async def _connections(system: Target) -> int:
    async with aiohttp.request("GET", system.url("fanout", "/metrics")) as answer:
        found = re.search(r"^headrace_fanout_connections (\S+)$", await answer.text(), re.MULTILINE)
    assert found
    return int(float(found[1]))


async def _subscribe(port: int, wallet: Wallet, stack: ExitStack) -> None:
    headers = wallet.headers | {"Last-Event-ID": "0-0"}
    query = f"{SUBSCRIBE}?all=true"
    client = await SseClient.connect(
        port, query, headers=headers, receive_buffer=2048, stalled=True
    )
    stack.callback(client.close)


def unsent_in_kernel(port: int) -> int:
    """Bytes that the kernel keeps for the clients of this port, of this machine's IPv4 sockets."""
    total = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, _, queues, *_ = line.split()
        if int(local.rpartition(":")[2], 16) == port:
            total += int(queues.partition(":")[0], 16)
    return total
