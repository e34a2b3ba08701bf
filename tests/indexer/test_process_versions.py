"""The process: what it tells of the versions of its servers, and an RPC that is too old."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from shared.journal.keys import Keys
from tests.indexer.installed import Site
from tests.indexer.simulated import simulated
from tests.indexer.sources.rpc_versions import NEW, OLD
from tests.support.processes import ServiceProcess
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def site(redis: Redis, redis_url: str, keys: Keys) -> AsyncIterator[Site]:
    async with simulated() as sim:
        yield Site(sim, redis, redis_url, keys)


async def alarm(site: Site, process: ServiceProcess) -> float | None:
    return await site.metric(process, 'headrace_indexer_alarm{kind="rpc_too_old"}')


async def test_with_rpc_alone_the_indexer_waits_for_the_upgrade(site: Site) -> None:
    await site.sim.upgrade("rpc", **OLD)
    async with site.indexer(SOURCE="rpc") as process:
        await until(lambda: process.log_lines("source_failed"))
        _, parts = await site.ready(process)
        assert parts["source"].startswith(f"too_old: RPC at {site.sim.url}/rpc is version 22.1.3")
        assert await alarm(site, process) == 1
        await site.sim.upgrade("rpc", **NEW)
        await site.until_ready(process)
        await site.heard(process)
        assert await alarm(site, process) == 0
        lines = process.log_lines("upstream_version")
        assert [line["version"] for line in lines] == [OLD["version"], NEW["version"]]
    await site.is_exact()


async def test_with_horizon_an_old_rpc_is_a_note(site: Site) -> None:
    await site.sim.upgrade("rpc", **OLD)
    await site.sim.upgrade("horizon", protocol=31)
    async with site.indexer(SOURCE="horizon") as process:
        await site.caught_up()
        await site.until_ready(process)
        await until(lambda: process.log_lines("rpc_too_old"))
        notes = await site.notes(process)
        assert "Upgrade RPC" in notes["rpc_too_old"]
        assert notes["protocol"].startswith("horizon is at protocol 31")
        assert await alarm(site, process) == 1
        labels = 'core="stellar-core 30.0.0 (headrace)",server="horizon",version="30.0.0-headrace"'
        assert await site.metric(process, f"headrace_indexer_upstream_info{{{labels}}}") == 1
        assert await site.metric(process, 'headrace_indexer_protocol{server="rpc"}') == 22
    await site.is_exact()


async def test_verify_says_that_rpc_is_too_old(site: Site) -> None:
    await site.sim.upgrade("rpc", **OLD)
    outcome = await site.command("verify", "--state")
    assert outcome.code == 2
    assert "Upgrade RPC" in outcome.stderr
