"""The fixtures of the audit's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from deploy.simulator.chain.operations import Operation, Proposal
from shared.journal.keys import Keys
from tests.indexer.simulated import simulated
from tests.indexer.state.audited import CREATE, Audited


@pytest.fixture
async def chain(redis: Redis, keys: Keys) -> AsyncIterator[Audited]:
    """A contract with 450 streams of all kinds, all made before the indexer starts."""
    async with simulated(60, fee_bps=50) as sim:
        for _ in range(10):
            sim.network.submit(Proposal(operations=(CREATE,) * 40))
        with_cliff = Operation(op="create", amount=10**6, duration=50, cliff=20)
        sim.network.submit(Proposal(operations=(with_cliff,)))
        sim.close(2)
        yield Audited(sim, redis, keys)


@pytest.fixture
async def small(redis: Redis, keys: Keys) -> AsyncIterator[Audited]:
    """A contract with 20 streams, all made before the indexer starts, and no others."""
    async with simulated(5, streams=0) as sim:
        sim.network.submit(Proposal(operations=(CREATE,) * 20))
        sim.close(20)
        yield Audited(sim, redis, keys)
