"""The audit in a process of the indexer: streams from before the start become known."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson
import pytest
from redis.asyncio import Redis

from shared.journal.keys import Keys
from tests.indexer.installed import Site
from tests.indexer.simulated import simulated
from tests.support.waiting import until

pytestmark = [pytest.mark.timeout(60), pytest.mark.io]


@pytest.fixture
async def site(redis: Redis, redis_url: str, keys: Keys) -> AsyncIterator[Site]:
    async with simulated(40) as sim:
        yield Site(sim, redis, redis_url, keys)


async def test_streams_from_before_the_start_are_known_soon(site: Site) -> None:
    streams = list(site.sim.network.contract.state.streams)
    async with site.indexer(START="latest", AUDIT_SECONDS="3600") as process:

        async def audited() -> bool:
            site.sim.close()
            equal = await site.metric(process, "headrace_indexer_equal_streams")
            in_all = await site.metric(process, "headrace_indexer_contract_streams")
            return bool(equal and equal == in_all and equal >= len(streams))

        await until(audited, seconds=30, what="the first round of the audit")
        await until(lambda: process.log_lines("audited"), seconds=10, what="the line in the log")
        [line] = process.log_lines("audited")
        assert line["loaded"] > 0
    for stream_id in streams:
        raw = await site.redis.get(site.keys.stream(stream_id))
        assert raw, stream_id
        assert orjson.loads(raw)["origin"] == "chain"
