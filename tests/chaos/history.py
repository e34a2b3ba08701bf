"""Faults of the sources' history, and of proxies before the sources.

Ledgers that no source has any longer are recorded in `World.lost`. All other faults here must cause
no loss and no gap.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis.exceptions import RedisError

from tests.chaos.world import INDEXERS, KEYS, World
from tests.support.pace import last
from tests.support.waiting import until

_STATUSES = (400, 404, 406, 410)
_CACHED = 1.0
"""Seconds for which a real Horizon caches its root."""


class SourceFaults:
    """Faults of the sources.

    Horizon and RPC are one process here, each with its own view of the chain.
    """

    def __init__(self, world: World, rng: random.Random) -> None:
        self._world = world
        self._rng = rng
        self._one_at_a_time = asyncio.Lock()

    def all(self) -> dict[str, Callable[[], Awaitable[str]]]:
        """The faults by the name in the table. Each returns the name of the part that was hit."""
        sources = self._world.sources
        faults: dict[str, Callable[[], Awaitable[str]]] = {
            "history trimmed while read": lambda: self.trim(*sources),
            "proxy refuses with a page": self.refuse,
        }
        if "horizon" in sources:
            faults["Horizon restarts"] = self.restart
        if "rpc" in sources:
            faults["RPC unhealthy and slow"] = self.strain
            faults["hole in RPC"] = lambda: self.hole("rpc")
        if len(sources) > 1:
            faults["Horizon trims what is read"] = lambda: self.trim("horizon")
            faults["hole in Horizon"] = lambda: self.hole("horizon")
            faults["hole in Horizon, trimmed in RPC"] = lambda: self.hole("horizon", "rpc")
            faults["metas are empty"] = self.empty_metas
        return faults

    async def _arm(self, kind: str, **more: Any) -> None:
        await self._world.network("POST", "faults", kind=kind, **more)

    async def _forgive(self) -> None:
        await self._world.network("DELETE", "faults")

    # ── availability ──

    async def restart(self) -> str:
        """End the streams.

        Then the root of Horizon knows no ledger for a while, and a new reader sees that.
        """
        await self._arm("starting", times=50)
        for name in INDEXERS:
            self._world.proxies[name, "network"].cut()
        with suppress(RedisError, OSError):
            await self._world.redis.delete(KEYS.lease)
        await last(self._rng.uniform(1, 2.5))
        await self._forgive()
        return "horizon"

    async def refuse(self) -> str:
        """A proxy answers with its own error page in place of the source."""
        status = self._rng.choice(_STATUSES)
        for surface in ("stream", "page", "root", "ledger", "ledgers", "transaction", "getEvents"):
            await self._arm("not_found", surface=surface, status=status, times=3)
        for name in INDEXERS:
            self._world.proxies[name, "network"].cut()
        await last(self._rng.uniform(1, 2))
        await self._forgive()
        return str(status)

    async def empty_metas(self) -> str:
        """Horizon sends transactions with an empty meta."""
        await self._arm("empty_meta", surface="horizon", times=self._rng.randint(3, 12))
        await last(2)
        await self._forgive()
        return "horizon"

    async def strain(self) -> str:
        """RPC reports that it is unhealthy, and times out for more than a ledger or two."""
        await self._arm("unhealthy", times=20, seconds=60)
        await self._arm("processing_limit", times=6, after=self._rng.randint(1, 3))
        async with self._behind(1.5):
            pass
        await last(2)
        await self._forgive()
        return "rpc"

    # ── history ──

    @asynccontextmanager
    async def _behind(self, seconds: float) -> AsyncIterator[tuple[int, int]]:
        """Stop all reading for a while. Yields the ledger of the cursor, and the newest ledger."""
        proxies = [self._world.proxies[name, "network"] for name in INDEXERS]
        async with self._one_at_a_time:
            for way in proxies:
                way.refusing = True
                way.cut()
            try:
                await last(0.3)  # the ledgers that were read are committed by then
                read = await self._cursor()
                await last(seconds)
                yield read, await self._tip()
            finally:
                for way in proxies:
                    way.refusing = False

    async def trim(self, *servers: str) -> str:
        """These servers delete all but their newest ledgers, also ledgers that nobody has read."""
        keep = self._rng.randint(1, 4)
        async with self._behind(self._rng.uniform(1.5, 3)) as (read, _):
            for server in servers:
                await self._arm("trim", surface=server, after=keep, seconds=_CACHED)
            kept = await self._tip() - keep + 1
            if servers == self._world.sources:
                self._world.lost.ledgers.append(range(read, kept))
        return " and ".join(servers)

    async def hole(self, server: str, *trimmed: str) -> str:
        """One server lacks ledgers that no indexer has read, and the other servers trim them."""
        async with self._behind(self._rng.uniform(2, 3)) as (read, tip):
            first = self._rng.randint(read + 1, max(read + 1, tip - 2))
            end = self._rng.randint(first, max(first, tip - 1))
            await self._arm("hole", surface=server, first=first, last=end)
            for other in trimmed:
                await self._arm("trim", surface=other, after=1)
            if {server, *trimmed} == set(self._world.sources):
                self._world.lost.ledgers.append(range(first, end + 1))
        with suppress(AssertionError):  # if the cursor does not move, the run reports it
            await until(lambda: self._past(end), seconds=15)
            await self._forgive()
        return f"{first} to {end}"

    async def _past(self, ledger: int) -> bool:
        return await self._cursor() > ledger

    async def _cursor(self) -> int:
        """The ledger of the cursor; 0 if Redis does not answer."""
        with suppress(RedisError, OSError):
            return int(await self._world.redis.hget(KEYS.progress, "cursor") or 0) >> 32
        return 0

    async def _tip(self) -> int:
        answer: dict[str, int] = await self._world.network("POST", "close", ledgers=0)
        return answer["ledger"]
