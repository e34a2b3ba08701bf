"""Clients that resume from the oldest event, again and again."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from shared.journal.keys import Keys
from shared.redis.client import connect
from shared.runtime.tasks import cancel
from tests.attacks.figure import Figure
from tests.attacks.helpers import measuring
from tests.attacks.live import LivePlan
from tests.fanout.replicas import ALICE, BOB, CAROL, SUBSCRIBE, Chain, Replica, replica_process
from tests.support.data import begun_long_ago
from tests.support.pace import last
from tests.support.redis_server import redis_server

_NAME = "replays"
_SECONDS = 15.0
_ENTRIES = 100_000
_CLIENTS = 60
_MOST = 10.0
"""Milliseconds: the goal for 99 % of the live events meanwhile."""
NOBODY = CAROL
"""An account with one event, the last one. When a client receives it, the resume is complete."""
LIVE = "999"
_RATE = 50
_READ = 1 << 18


class Resumes:
    """Sixty connections that resume from the oldest event, and reconnect when they have all."""

    def __init__(self, replica: Replica, query: str, end: str) -> None:
        self.done = self.received = 0
        self._port = replica.port
        self._request = (
            f"GET {SUBSCRIBE}?{query} HTTP/1.1\r\nHost: test\r\nLast-Event-ID: 0-0\r\n\r\n"
        ).encode()
        self._end = f"id: {end}\n".encode()

    async def run(self) -> None:
        """Attack until cancelled."""
        await asyncio.gather(*(self._resume_again_and_again() for _ in range(_CLIENTS)))

    async def _resume_again_and_again(self) -> None:
        while True:
            with suppress(OSError):
                await self._resume()

    async def _resume(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=_READ)
        try:
            writer.write(self._request)
            rest = b""
            while data := await reader.read(_READ):
                self.received += len(data)
                rest = rest[-100:] + data
                if self._end in rest:
                    self.done += 1
                    return
        finally:
            writer.transport.abort()


async def _publish(chain: Chain) -> None:
    """Commit live events at a steady rate."""
    while True:
        await chain.commit(chain.event(int(LIVE), ALICE, BOB))
        await last(1 / _RATE)


async def _measure(replica: Replica, chain: Chain, name: str, resumes: Resumes) -> Figure:
    tasks = [asyncio.create_task(_publish(chain)), asyncio.create_task(resumes.run())]
    await last(2)
    async with measuring(LivePlan([replica.port], f"streams={LIVE}", "none")) as results:
        await last(_SECONDS)
    memory = await replica.metric_of("process_resident_memory_bytes")
    await cancel(*tasks)
    (live,) = results
    measured = (
        f"p99 of live delivery while {_CLIENTS} resume {name} ({resumes.done} resumes, "
        f"{resumes.received / 1e6:.0f} MB; p50 {live.p50} ms; fanout {memory / 1e6:.0f} MB)"
    )
    return Figure(_NAME, measured, live.p99, "ms", _MOST)


async def attack(folder: Path) -> list[Figure]:
    """Fill a journal, then measure with clients that have no events, and with clients of all."""
    with redis_server(folder / "redis") as url:
        keys = Keys("replays")
        redis = connect(url)
        await begun_long_ago(redis, keys)
        chain = Chain(redis, keys)
        await chain.commit_many(_ENTRIES)
        (end,) = await chain.commit(chain.event(8, ALICE, NOBODY))
        figures = []
        async with replica_process(url, keys) as replica:
            for name, query in (("without events", f"users={NOBODY}"), ("everything", "all=true")):
                resumes = Resumes(replica, query, end)
                figures.append(await _measure(replica, chain, name, resumes))
        await redis.aclose()
        return figures
