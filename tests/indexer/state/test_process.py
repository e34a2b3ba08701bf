"""The audit in a process of the indexer: streams from before the start become known."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson
import pytest
from redis.asyncio import Redis

from deploy.simulator.chain.operations import Operation, Proposal
from shared.journal.keys import Keys
from tests.indexer.installed import Site
from tests.indexer.simulated import simulated
from tests.indexer.state.audited import CREATE
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

        await until(audited, seconds=45, what="the first rounds of the audit")
        await until(lambda: process.log_lines("audited"), what="the line in the log")
        first, *later = process.log_lines("audited")
        assert first["loaded"] > 0
        assert not later or first["unsettled"], "some streams changed too fast in the first round"
    for stream_id in streams:
        raw = await site.redis.get(site.keys.stream(stream_id))
        assert raw, stream_id
        assert orjson.loads(raw)["origin"] == "chain"


async def test_after_a_gap_the_audit_repairs_the_streams(site: Site) -> None:
    """Ledgers that no source has any longer are lost, with the withdrawals in them."""
    site.sim.network.submit(Proposal(operations=(CREATE,)))
    site.sim.close()
    stream_id = list(site.sim.network.contract.state.streams)[-1]
    async with site.indexer(AUDIT_SECONDS=0):
        await site.caught_up()
    call = Operation(op="withdraw", stream_id=stream_id)
    site.sim.close(3)
    site.sim.network.submit(Proposal(operations=(call,)))
    site.sim.close(20)
    await site.sim.arm("trim", after=5)
    async with site.indexer() as process:
        await until(lambda: process.log_lines("gap"), what="the gap")

        async def repaired() -> bool:
            site.sim.close()
            document = orjson.loads(await site.redis.get(site.keys.stream(stream_id)) or b"{}")
            record = site.sim.network.contract.stream(stream_id)
            return bool(document["withdrawnAmount"] == str(record.withdrawn) != "0")

        await until(repaired, what="the withdrawal that was lost")
        assert not process.log_lines("state_differs"), "the alarm of the gap has told it"
