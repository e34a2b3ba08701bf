"""Tokens in a process of the indexer: they are read, and without RPC the ingest goes on."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from deploy.simulator.chain import accounts
from shared.journal.keys import Keys
from shared.journal.tokens import StoredTokens
from tests.indexer.installed import Site
from tests.indexer.simulated import simulated
from tests.support.processes import ServiceProcess
from tests.support.waiting import until

pytestmark = [pytest.mark.timeout(60), pytest.mark.io]
TOKENS = (accounts.TOKEN, accounts.LUMENS, accounts.GOLD)


@pytest.fixture
async def site(redis: Redis, redis_url: str, keys: Keys) -> AsyncIterator[Site]:
    async with simulated(20, script_tokens=3) as sim:
        yield Site(sim, redis, redis_url, keys)


async def reads(site: Site, process: ServiceProcess, outcome: str) -> float:
    async with site.sim.session.get(f"http://127.0.0.1:{process.port}/metrics") as response:
        name = f'headrace_indexer_token_reads_total{{outcome="{outcome}"}}'
        found = re.search(f"^{re.escape(name)} (.*)$", await response.text(), re.MULTILINE)
    assert found
    return float(found[1])


async def test_the_tokens_of_the_streams_are_read(site: Site) -> None:
    stored = StoredTokens(site.redis, site.keys)
    async with site.indexer() as process:

        async def all_read() -> bool:
            return await reads(site, process, "read") == len(TOKENS)

        await until(all_read, seconds=30, what="the tokens")
        assert await reads(site, process, "failed") == 0
    told = await stored.find(TOKENS)
    assert [each.decimals for each in told.values()] == [7, 7, 2]


async def test_without_rpc_the_ingest_goes_on(site: Site) -> None:
    async with site.indexer(RPC_URL=f"{site.sim.url}/nothing-here") as process:
        await site.caught_up()

        async def failed() -> bool:
            return await reads(site, process, "failed") >= 2

        await until(failed, seconds=30, what="two failures")
        site.sim.close(3)
        await site.caught_up()
        await site.until_ready(process)
        assert process.log_lines("tokens_not_read")
    await site.is_exact()
