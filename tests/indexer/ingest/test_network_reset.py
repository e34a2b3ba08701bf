"""The checkpoint: histories with the same ledger numbers are never mixed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from redis.asyncio import Redis

from services.indexer.ingest.network_reset import Checkpoint
from services.indexer.sources.base import Source
from shared.chain.errors import FatalSourceError, SourceError
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.runtime.tasks import cancel
from tests.indexer.simulated import NOW, Sim, simulated
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
async def sim() -> AsyncIterator[Sim]:
    async with simulated() as made:
        yield made


def checkpoint(redis: Redis, keys: Keys, seconds: float = 0.05) -> Checkpoint:
    return Checkpoint(redis, keys, Committer(redis, keys), seconds=seconds)


def source(sim: Sim, name: str) -> Source:
    return sim.rpc() if name == "rpc" else sim.horizon()


async def stored(redis: Redis, keys: Keys) -> tuple[bytes | None, ...]:
    fields: Any = await redis.hmget(keys.progress, ["checkpointLedger", "checkpointHash"])
    return tuple(fields)


async def taken(redis: Redis, keys: Keys, made: Checkpoint, read: Source, ledger: int) -> None:
    await made.compare(read)
    task = asyncio.create_task(made.store_regularly(read))

    async def there() -> bool:
        return (await stored(redis, keys))[0] == b"%d" % ledger

    await until(there, what=f"a checkpoint of {ledger}")
    await cancel(task)


@pytest.mark.parametrize("name", ["horizon", "rpc"])
async def test_a_checkpoint_is_stored_regularly_and_matches(
    sim: Sim, redis: Redis, keys: Keys, name: str
) -> None:
    read, made = source(sim, name), checkpoint(redis, keys)
    for _ in range(2):
        latest = sim.network.chain.latest
        await taken(redis, keys, made, read, latest.sequence)
        assert (await stored(redis, keys))[1] == latest.hash.encode()
        sim.close()
    for other in ("horizon", "rpc"):  # whichever source is read next
        await checkpoint(redis, keys).compare(source(sim, other))


@pytest.mark.parametrize("name", ["horizon", "rpc"])
async def test_a_ledger_with_another_hash_is_another_history(
    sim: Sim, redis: Redis, keys: Keys, name: str
) -> None:
    latest = sim.network.chain.latest
    await taken(redis, keys, checkpoint(redis, keys), source(sim, name), latest.sequence)
    sim.network.reset(NOW, start_ledger=latest.sequence - 5)
    sim.close(10)
    with pytest.raises(
        FatalSourceError, match=f"reset: the hash of ledger {latest.sequence} was {latest.hash}"
    ):
        await checkpoint(redis, keys).compare(source(sim, name))


@pytest.mark.parametrize("name", ["horizon", "rpc"])
async def test_a_source_without_the_ledger_is_accepted(
    sim: Sim, redis: Redis, keys: Keys, name: str
) -> None:
    made = checkpoint(redis, keys, seconds=0)
    read = source(sim, name)
    await made.compare(read)
    await redis.hset(keys.progress, "checkpointLedger", "3700099")
    await redis.hset(keys.progress, "checkpointHash", "ab" * 32)
    await made.compare(read)
    await redis.hset(keys.progress, "checkpointLedger", "1")
    await made.compare(read)


async def test_a_lower_tip_does_not_replace_the_checkpoint(
    sim: Sim, redis: Redis, keys: Keys
) -> None:
    made, read = checkpoint(redis, keys), sim.rpc()
    latest = sim.network.chain.latest
    await taken(redis, keys, made, read, latest.sequence)
    await sim.arm("reset")
    task = asyncio.create_task(made.store_regularly(read))
    asked = len(sim.asked)
    await until(lambda: len(sim.asked) > asked + 4)
    await cancel(task)
    assert await stored(redis, keys) == (b"%d" % latest.sequence, latest.hash.encode())


async def test_the_old_checkpoint_is_compared_before_a_new_one_is_stored(
    sim: Sim, redis: Redis, keys: Keys
) -> None:
    made = checkpoint(redis, keys)
    task = asyncio.create_task(made.store_regularly(sim.rpc()))
    async with aclosing(sim.rpc().batches(sim.tip)) as batches:
        await anext(batches)
    assert await stored(redis, keys) == (None, None)
    await cancel(task)


@pytest.mark.parametrize("name", ["horizon", "rpc"])
async def test_a_checkpoint_is_stored_after_the_source_failed(
    sim: Sim, redis: Redis, keys: Keys, name: str
) -> None:
    latest = sim.network.chain.latest.sequence
    await redis.hset(keys.progress, "checkpointLedger", str(latest))
    await redis.hset(keys.progress, "checkpointHash", sim.network.chain.latest.hash)
    made, surface = checkpoint(redis, keys), "getLedgers" if name == "rpc" else "ledger"
    await sim.arm("503", surface=surface)
    with pytest.raises(SourceError, match="503"):
        await made.compare(source(sim, name))
    await made.compare(source(sim, name))
    await sim.arm("503", surface="getLatestLedger" if name == "rpc" else "root", times=2)
    sim.close()
    await taken(redis, keys, made, source(sim, name), latest + 1)
