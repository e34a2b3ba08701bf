"""What the tests of the command `verify` share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from shared.journal.keys import Keys
from tests.indexer.ingest.test_ingest import Bench
from tests.indexer.installed import Site
from tests.indexer.simulated import simulated

FIRST = 3_700_000
"""The first ledger of the simulated chain."""


@asynccontextmanager
async def thirty_ledgers(redis: Redis, redis_url: str, keys: Keys) -> AsyncIterator[Site]:
    """A namespace with thirty ledgers that are read."""
    async with simulated(ledgers=30) as sim:
        site = Site(sim, redis, redis_url, keys)
        await index(site)
        yield site


async def index(site: Site) -> None:
    bench = Bench(site.sim, site.redis, site.keys)
    async with bench.running():
        await bench.caught_up()


async def rewrite(
    site: Site, position: str, change: Callable[[bytes], bytes], at: str = "b"
) -> None:
    """Alter an entry at its position. Redis cannot change one entry, so all are written again."""
    rows: Any = await site.redis.xrange(site.keys.journal)
    await site.redis.delete(site.keys.journal)
    for entry, fields in rows:
        name = at.encode()
        changed = {name: change(fields[name])} if entry.decode() == position else {}
        await site.redis.xadd(site.keys.journal, fields | changed, id=entry)
