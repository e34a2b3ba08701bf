"""Slow readers of the largest pages of the history, and filters that match nothing."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import islice
from pathlib import Path

import aiohttp
from stellar_sdk import Keypair

from deploy.simulator.chain import accounts
from shared.domain import commands
from shared.domain.events import Event, Provenance
from shared.domain.position import Position, toid
from shared.journal.commit import Committer
from tests.attacks.figure import Figure
from tests.attacks.metadata import largest
from tests.attacks.target import Target, Wallet, target
from tests.deploy.gateways import installed_kinds, local_gateway
from tests.soak.gauges import memory_of
from tests.support.pace import last
from tests.support.sse_client import SseClient

_NAME = "history"
_READERS = 40
_EVENTS = 1500
_AT_ONCE = 50
_STAY = 10.0
"""Seconds for which the memory is sampled."""
_ENDED = 90.0
"""Seconds after which the readers must be disconnected."""
_PAGE = "/v1/events?{query}&limit=500"


async def attack(folder: Path) -> list[Figure]:
    """Read the largest pages slowly, directly and through nginx; search for what does not exist."""
    async with target(folder) as system, aiohttp.ClientSession() as session:
        await system.start("api")
        wallet, admin = Wallet(system, session), Wallet(system, session, "events:all")
        await fill(system, wallet.account, await wallet.most_emoji(), _EVENTS)
        own = f"users={wallet.account}"
        figures = [
            await _search(system, wallet, f"{own}&types=contract.initialized", "type"),
            await _search(system, admin, f"users={Keypair.random().public_key}", "account"),
        ]
        if "nginx" in installed_kinds(["nginx"]):
            figures.append(await _through_nginx(system, wallet, own, folder / "gateway"))
        return [
            *figures,
            *await _slow(system, wallet, own, "own topic"),
            *await _slow(system, admin, "all=true", "*"),
        ]


async def fill(system: Target, sender: str, emoji: int, count: int) -> None:
    """Commit streams of this sender with large metadata, each to another account."""
    committer = Committer(system.redis, system.keys)
    numbers = iter(range(1, count + 1))
    while portion := list(islice(numbers, _AT_ONCE)):
        await committer.record([_created(n, sender, emoji) for n in portion], progress={})


def _created(number: int, sender: str, emoji: int) -> Event:
    (event,) = commands.create(
        stream_id=str(number),
        sender=sender,
        recipient=Keypair.random().public_key,
        token=accounts.TOKEN,
        rate=1,
        deposited=10**6,
        start_time=1_770_000_000,
        now=1_770_000_000,
        metadata=largest(emoji),
    )
    position = Position(toid(9_000_000 + number, 1), 0)
    source = Provenance(accounts.STREAMS, position.ledger, "2026-07-21T18:01:10Z", "ab" * 32, True)
    return Event(event.type, event.stream_id, event.timestamp, event.facts, position, source)


async def _search(system: Target, wallet: Wallet, query: str, what: str) -> Figure:
    """One page of a filter that matches nothing: the bytes that it costs."""
    sent = await _sent_by_redis(system)
    began = time.monotonic()
    status, page = await wallet.request("GET", f"events?{query}&limit=500")
    seconds = time.monotonic() - began
    assert (status, page["items"]) == (200, []), page
    cost = (await _sent_by_redis(system) - sent) / (1 << 20)
    measured = f"read from Redis for an unknown {what}, {seconds * 1000:.0f} ms"
    return Figure(_NAME, measured, cost, "MB", 2)


async def _sent_by_redis(system: Target) -> int:
    return int((await system.redis.info("stats"))["total_net_output_bytes"])


@asynccontextmanager
async def _readers(port: int, wallet: Wallet, query: str) -> AsyncIterator[None]:
    """Forty clients that ask for a page and do not read it."""
    page = _PAGE.format(query=query)
    slow: list[SseClient] = []
    try:
        for _ in range(_READERS):
            slow.append(
                await SseClient.connect(
                    port, page, headers=wallet.headers, receive_buffer=2048, stalled=True
                )
            )
        yield
    finally:
        for each in slow:
            each.close()


async def _slow(system: Target, wallet: Wallet, query: str, what: str) -> list[Figure]:
    api = system.services["api"]
    before, descriptors, most = memory_of(api.pid), api.descriptors, 0.0
    began = time.monotonic()
    async with _readers(api.port, wallet, query):
        while time.monotonic() < began + _STAY:
            most = max(most, memory_of(api.pid))
            await last(0.2)
        while api.descriptors > descriptors + 4 and time.monotonic() < began + _ENDED:
            await last(0.5)
        seconds = time.monotonic() - began
    who = f"{_READERS} slow readers of {what}"
    return [
        Figure(_NAME, f"{who}: memory of the API, from {before:.0f} MB", most, "MB", before + 120),
        Figure(_NAME, f"{who}: connected for", seconds, "s", _ENDED - 1),
    ]


async def _through_nginx(system: Target, wallet: Wallet, query: str, folder: Path) -> Figure:
    """The bytes in nginx's temporary files while the readers are slow."""
    host = f"127.0.0.1:{system.services['api'].port}"
    async with (
        local_gateway("nginx", folder, [host], host) as front,
        _readers(front.port, wallet, query),
    ):
        most, ends = 0, time.monotonic() + _STAY
        while time.monotonic() < ends:
            most = max(most, temporary_bytes(front.process.pid, folder))
            await last(0.2)
    measured = f"{_READERS} slow readers through nginx: temporary files"
    return Figure(_NAME, measured, most / (1 << 20), "MB", 0)


def temporary_bytes(master: int, folder: Path) -> int:
    """The bytes in nginx's temporary files. It deletes each as soon as it has opened it."""
    total = 0
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    for pid in (str(master), *children):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if str(link.readlink()).startswith(f"{folder}/proxy/"):
                    total += os.stat(link).st_size  # noqa: PTH116 - follows to a deleted file
    return total
