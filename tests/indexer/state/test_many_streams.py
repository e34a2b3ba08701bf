"""A contract with many streams from before the start: all are known within a minute."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from deploy.simulator.chain.operations import Proposal
from deploy.simulator.contracts.record import Record, claimable
from shared.chain.rpc import MOST_KEYS
from shared.domain import stream as rules
from shared.journal.keys import Keys
from shared.journal.streams import StoredStreams
from shared.runtime.tasks import cancel
from tests.indexer.installed import Site
from tests.indexer.simulated import simulated
from tests.indexer.state.audited import CREATE
from tests.support.pace import last
from tests.support.processes import ServiceProcess
from tests.support.tier import at_length
from tests.support.waiting import until

pytestmark = [pytest.mark.timeout(180), pytest.mark.io]
STREAMS = at_length(1000, 5000)
ALTERED = str(STREAMS - 100)
GOAL = 60.0
"""Seconds from the start of the process until all streams are known."""


@pytest.fixture
async def site(redis: Redis, redis_url: str, keys: Keys) -> AsyncIterator[Site]:
    async with simulated(40) as sim:
        for _ in range(STREAMS // 50):
            sim.network.submit(Proposal(operations=(CREATE,) * 50))
            sim.close()
        yield Site(sim, redis, redis_url, keys)


@asynccontextmanager
async def busy(site: Site) -> AsyncIterator[None]:
    """Meanwhile ledgers close, with events of some streams. At the end the indexer catches up."""
    task = asyncio.create_task(_close(site))
    try:
        yield
    finally:
        await cancel(task)
    await site.caught_up()


async def _close(site: Site) -> None:
    for n in range(1, 1_000_000):
        top_up = replace(CREATE, op="top_up", stream_id=str(10 * n % STREAMS + 1), amount=n)
        site.sim.network.submit(Proposal(operations=(top_up,)))
        site.sim.close()
        await last(0.5)


async def test_all_streams_are_known_within_a_minute_and_an_altered_one_is_found(
    site: Site,
) -> None:
    began = time.monotonic()
    async with site.indexer(START="latest", AUDIT_SECONDS="0.1") as process:
        async with busy(site):
            await rounds(process, 1, seconds=GOAL)
            took = time.monotonic() - began
        print(f"{STREAMS} streams were known {took:.1f} s after the start")
        assert took < GOAL
        await shown_is_right(site)
        await site.sim.ask("POST", "entries", streamId=ALTERED, withdrawn=77)
        ended = len(process.log_lines("audited"))
        async with busy(site):
            await rounds(process, ended + 2, seconds=100)  # the next may have begun before it
        [wrong] = process.log_lines("state_differs")
        assert wrong["stream"] == ALTERED
        assert wrong["stored_and_contract"] == {"withdrawn": ["0", "77"]}
        await shown_is_right(site)


async def rounds(process: ServiceProcess, count: int, *, seconds: float) -> None:
    def done() -> bool:
        return len(process.log_lines("audited")) >= count

    await until(done, seconds=seconds, what=f"round {count} of the audit")


async def shown_is_right(site: Site) -> None:
    """Every stream is stored, and what is claimable from it is right to the unit."""
    records: Mapping[str, Record] = dict(site.sim.network.contract.state.streams)
    assert len(records) >= STREAMS
    streams = StoredStreams(site.redis, site.keys)
    ids, now = list(records), site.sim.network.chain.latest.closed_at
    for first in range(0, len(ids), MOST_KEYS):
        for stream_id, stream in (await streams.load(ids[first : first + MOST_KEYS])).items():
            assert stream, stream_id
            assert rules.claimable(stream, now) == claimable(records[stream_id], now)
