"""A failover loses what was acknowledged. The dispatcher knows it, and repeats nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from services.webhooks.delivering.redelivering import RedeliveryRun
from services.webhooks.delivering.registry import EndpointRegistry
from services.webhooks.partitions.sharing import partition_of
from shared.domain.position import Position, parse_position
from shared.journal.reader import Page
from shared.journal.wire import JournalEntry
from shared.webhooks.progress import Progress, ProgressStore
from shared.webhooks.redeliveries import RedeliveryStore
from tests.support.waiting import until
from tests.webhooks.losing import lose_events, lose_progress
from tests.webhooks.receiver import Receiver
from tests.webhooks.world import World, dispatching


async def test_it_is_kept_although_the_first_load_fails(
    redis_url: str, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, fails = ProgressStore.load, 0

    async def loaded(store: ProgressStore, ids: Collection[str]) -> Mapping[str, Progress]:
        nonlocal fails
        if fails and ids:
            fails -= 1
            raise RedisConnectionError("Redis does not answer")
        return await load(store, ids)

    monkeypatch.setattr(ProgressStore, "load", loaded)
    endpoint = await world.add(receiver.url())
    made = await world.commit(5)
    async with dispatching(redis_url, world.keys):
        await until(lambda: world.stored_at(endpoint, made[-1]))
        await lose_progress(world, endpoint, to=made[1])
        fails = 1
        await world.redis.delete(world.keys.webhook_partition(partition_of(endpoint.id)))
        await until(lambda: not fails, what="a load that fails")
        made += await world.commit(1)
        await until(lambda: receiver.ids()[-1] == made[-1])
    assert receiver.ids() == made


async def test_it_is_stored_before_the_next_delivery_although_the_lease_was_kept(
    redis_url: str, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewind, seen = EndpointRegistry.rewind, asyncio.Event()

    def rewound(registry: EndpointRegistry, common: Position, lost: list[JournalEntry]) -> None:
        rewind(registry, common, lost)
        seen.set()

    monkeypatch.setattr(EndpointRegistry, "rewind", rewound)
    endpoint = await world.add(receiver.url())
    made = await world.commit(5)
    async with dispatching(redis_url, world.keys, webhook_lease_seconds=60):
        await until(lambda: world.stored_at(endpoint, made[-1]))
        await lose_progress(world, endpoint, to=made[1])
        await lose_events(world, made[3:])
        await seen.wait()
        await world.rewind(to=3)
        assert await world.commit(2) == made[3:]
        receiver.hold.clear()
        new = await world.commit(1)
        await until(lambda: receiver.asked[-1].id == new[0])
        progress = await world.progress(endpoint)
        assert progress is not None
        known = {str(each) for each in (progress.position, *progress.acknowledged)}
        assert made[-1] in known
        receiver.hold.set()


async def test_a_redelivery_waits_for_the_end_of_its_range(
    redis: Redis, redis_url: str, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chain's events come back after a failover."""
    read, reads = RedeliveryRun._read, 0

    async def counted(run: RedeliveryRun) -> Page:
        nonlocal reads
        reads += 1
        return await read(run)

    monkeypatch.setattr(RedeliveryRun, "_read", counted)
    endpoint, store = await world.add(receiver.url()), RedeliveryStore(redis, world.keys)
    made = await world.commit(6)
    async with dispatching(redis_url, world.keys):
        await until(lambda: receiver.ids() == made)
        await lose_events(world, made[4:])
        await store.add(endpoint.id, parse_position(made[1]), parse_position(made[5]))
        await until(lambda: receiver.ids() == made + made[2:4] and reads > 2)
        await world.rewind(to=4)
        assert await world.commit(2) == made[4:]
        await until(lambda: receiver.ids() == made + made[2:])
