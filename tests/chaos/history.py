"""What befalls the sources' own history and what stands before them, each as an act as in faults.

Ledgers that no source has any more are noted in `World.lost`; whatever else is done here, nothing
may be lost and no gap told.
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
"""Seconds for which the root of a real Horizon says what was so before."""


class SourceFaults:
    """The acts. Horizon and RPC are one process here, with a view of the chain each."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self._world = world
        self._rng = rng
        self._one_at_a_time = asyncio.Lock()

    def all(self) -> dict[str, Callable[[], Awaitable[str]]]:
        """Each by its name in the table; it answers whom it struck."""
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

    # ── before the sources ──

    async def restart(self) -> str:
        """Streams end, then the root knows no ledger for a while. A new reader asks it at once."""
        await self._arm("starting", times=50)
        for name in INDEXERS:
            self._world.proxies[name, "network"].cut()
        with suppress(RedisError, OSError):
            await self._world.redis.delete(KEYS.lease)
        await last(self._rng.uniform(1, 2.5))
        await self._forgive()
        return "horizon"

    async def refuse(self) -> str:
        """A proxy answers in the place of the source, with a page of its own."""
        status = self._rng.choice(_STATUSES)
        for surface in ("stream", "page", "root", "ledger", "ledgers", "transaction", "getEvents"):
            await self._arm("not_found", surface=surface, status=status, times=3)
        for name in INDEXERS:
            self._world.proxies[name, "network"].cut()
        await last(self._rng.uniform(1, 2))
        await self._forgive()
        return str(status)

    async def empty_metas(self) -> str:
        """Transactions of Horizon's have a meta with nothing in it."""
        await self._arm("empty_meta", surface="horizon", times=self._rng.randint(3, 12))
        await last(2)
        await self._forgive()
        return "horizon"

    async def strain(self) -> str:
        """RPC says that it is unhealthy, and takes too long for more than a ledger or two."""
        await self._arm("unhealthy", times=20, seconds=60)
        await self._arm("processing_limit", times=6, after=self._rng.randint(1, 3))
        async with self._behind(1.5):
            pass
        await last(2)
        await self._forgive()
        return "rpc"

    # ── what they have ──

    @asynccontextmanager
    async def _behind(self, seconds: float) -> AsyncIterator[tuple[int, int]]:
        """Nobody reads for a while; yields the ledger up to which all was read, and the tip."""
        proxies = [self._world.proxies[name, "network"] for name in INDEXERS]
        async with self._one_at_a_time:
            for way in proxies:
                way.refusing = True
                way.cut()
            try:
                await last(0.3)  # what was read is committed
                read = await self._cursor()
                await last(seconds)
                yield read, await self._tip()
            finally:
                for way in proxies:
                    way.refusing = False

    async def trim(self, *servers: str) -> str:
        """These servers forget all but their newest ledgers, some of which nobody has read yet."""
        keep = self._rng.randint(1, 4)
        async with self._behind(self._rng.uniform(1.5, 3)) as (read, _):
            for server in servers:
                await self._arm("trim", surface=server, after=keep, seconds=_CACHED)
            kept = await self._tip() - keep + 1
            if servers == self._world.sources:
                self._world.lost.ledgers.append(range(read, kept))
        return " and ".join(servers)

    async def hole(self, server: str, *trimmed: str) -> str:
        """Some ledgers that nobody has read are missing in one server, and others trim."""
        async with self._behind(self._rng.uniform(2, 3)) as (read, tip):
            first = self._rng.randint(read + 1, max(read + 1, tip - 2))
            end = self._rng.randint(first, max(first, tip - 1))
            await self._arm("hole", surface=server, first=first, last=end)
            for other in trimmed:
                await self._arm("trim", surface=other, after=1)
            if {server, *trimmed} == set(self._world.sources):
                self._world.lost.ledgers.append(range(first, end + 1))
        with suppress(AssertionError):  # else events do not flow again, which is told
            await until(lambda: self._past(end), seconds=15)
            await self._forgive()
        return f"{first} to {end}"

    async def _past(self, ledger: int) -> bool:
        return await self._cursor() > ledger

    async def _cursor(self) -> int:
        """The ledger within which reading goes on; 0 while Redis does not tell."""
        with suppress(RedisError, OSError):
            return int(await self._world.redis.hget(KEYS.progress, "cursor") or 0) >> 32
        return 0

    async def _tip(self) -> int:
        answer: dict[str, int] = await self._world.network("POST", "close", ledgers=0)
        return answer["ledger"]
