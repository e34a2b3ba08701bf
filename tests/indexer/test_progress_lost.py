"""The progress is lost and the journal is not: reading goes on, and nothing is told twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.keys import Keys
from shared.losses import Memory, report
from shared.metrics import LOST_PROGRESS
from shared.positions import parse_position
from tests.indexer.reading import Process, hear_nothing_more, read_some
from tests.indexer.simulated import Sim, simulated

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def sim() -> AsyncIterator[Sim]:
    async with simulated(ledgers=6) as sim:
        yield sim


@pytest.fixture
def process(sim: Sim, redis: Redis, keys: Keys) -> Process:
    return Process(sim, redis, keys)


async def test_progress_lost_alone_is_taken_up_from_the_journals_top(process: Process) -> None:
    counted: Any = LOST_PROGRESS._value.get()
    async with process.running():
        held = await read_some(process)
    before = await process.entries()
    await process.redis.delete(process.keys.progress)
    first = process.sim.tip
    process.sim.close(6)
    other = Process(process.sim, process.redis, process.keys)
    async with other.running():  # with START=latest
        await other.caught_up()
    entries = await process.entries()
    assert entries[: len(before)] == before
    assert [e.position for e in entries] == held + process.sim.positions(after=first | 4095)
    assert LOST_PROGRESS._value.get() == counted + 1
    assert "progress was lost" in str(other.readiness.document())


async def test_a_loss_that_was_told_is_not_told_again_when_the_progress_is_lost(
    process: Process,
) -> None:
    async with process.running():
        [*_, top] = await read_some(process)
        await process.flush()
        await process.settled()
        told = await process.redis.hget(process.keys.progress, "told")
        await report(process.redis, process.keys, "a fanout", Memory(top=parse_position(top)))
        await process.redis.delete(process.keys.progress)
        process.sim.close(2)
        await process.caught_up()
    assert await process.redis.hget(process.keys.progress, "told") == told
    await hear_nothing_more(process)
