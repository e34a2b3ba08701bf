"""A dispatcher loses the lease of a partition and takes it again before another one does."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from services.webhooks.delivering.held import HeldEndpoint
from services.webhooks.delivering.loading import EndpointLoader
from services.webhooks.partitions.leases import HeldPartition, PartitionLeases, Renewal
from services.webhooks.partitions.membership import Membership
from services.webhooks.partitions.sharing import PARTITIONS, partition_of
from shared.webhooks.progress import Progress, ProgressStore, ProgressWrite
from shared.webhooks.store import new_endpoint_id
from tests.support.waiting import until
from tests.webhooks.receiver import Receiver
from tests.webhooks.world import World, dispatching


class SlowReads:
    """When `hold` is set, answers of Redis with progress wait: first that of a changed endpoint.

    `waiting` counts the answers that wait. Those of a new partition wait until `reloaded`.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.hold = False
        self.waiting = 0
        self.go_on = asyncio.Event()
        self.reloaded = asyncio.Event()
        load, reload = ProgressStore.load, EndpointLoader.reload

        async def loaded(store: ProgressStore, ids: Collection[str]) -> Mapping[str, Progress]:
            answer = await load(store, ids)
            if self.hold and ids:
                self.waiting += 1
                await (self.go_on if self.waiting == 1 else self.reloaded).wait()
            return answer

        async def changed(loader: EndpointLoader, ids: Collection[str]) -> list[HeldEndpoint]:
            held = await reload(loader, ids)
            self.reloaded.set()
            return held

        patch.setattr(ProgressStore, "load", loaded)
        patch.setattr(EndpointLoader, "reload", changed)


async def test_an_endpoint_is_loaded_once(
    redis_url: str, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = SlowReads(monkeypatch)
    endpoint = await world.add(receiver.url())
    made = await world.commit(3)
    async with dispatching(redis_url, world.keys):
        await until(lambda: receiver.ids() == made)
        reads.reloaded.clear()
        reads.hold = True
        await world.endpoints.replace(replace(endpoint, description="new", revision=2))
        await until(lambda: reads.waiting == 1, what="the read of the changed endpoint")
        await world.redis.delete(world.keys.webhook_partition(partition_of(endpoint.id)))
        await until(lambda: reads.waiting == 2, what="the read of the partition")
        reads.hold = False
        reads.go_on.set()
        await reads.reloaded.wait()
        for _ in range(5):
            made += await world.commit(1)
            await until(lambda: receiver.ids()[-1:] == made[-1:])  # noqa: B023
    assert receiver.ids() == made


class FailingWrites:
    """While `fails` is set, no progress can be stored. `tried` counts these attempts."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.fails = False
        self.tried = 0
        write = ProgressStore.write

        async def written(
            store: ProgressStore, partition: int, token: str, writes: Sequence[ProgressWrite]
        ) -> bool:
            if self.fails:
                self.tried += 1
                raise RedisConnectionError("Redis cannot write now")
            return await write(store, partition, token, writes)

        patch.setattr(ProgressStore, "write", written)


async def test_what_is_only_remembered_is_stored_before_the_next_delivery(
    redis_url: str, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else another dispatcher would repeat two deliveries, when this one dies."""
    writes = FailingWrites(monkeypatch)
    endpoint = await world.add(receiver.url())
    made = await world.commit(3)
    async with dispatching(redis_url, world.keys):
        await until(lambda: world.stored_at(endpoint, made[-1]))
        writes.fails = True
        made += await world.commit(1)
        await until(lambda: receiver.ids() == made and writes.tried)
        lease = world.keys.webhook_partition(partition_of(endpoint.id))
        await world.redis.delete(lease)
        await until(lambda: world.redis.exists(lease), what="the lease")
        made += await world.commit(1)
        tried = writes.tried
        await until(lambda: writes.tried > tried + 1)
        assert receiver.ids() == made[:-1]
        writes.fails = False
        await until(lambda: receiver.ids() == made)


class Outage:
    """Renewals get no answer while `goes_on` is not set. `taken` are the partitions in order.

    Each dispatcher counts `members` dispatchers.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.members = 2
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.waiting = 0
        self.taken: list[int] = []
        take, renew = PartitionLeases.take, PartitionLeases.renew

        async def members(_: Membership) -> int:
            return self.members

        async def took(leases: PartitionLeases, numbers: Collection[int]) -> list[HeldPartition]:
            taken = await take(leases, numbers)
            self.taken += [each.number for each in taken]
            return taken

        async def renewed(leases: PartitionLeases, held: Collection[HeldPartition]) -> Renewal:
            self.waiting += not self.goes_on.is_set()
            await self.goes_on.wait()
            return await renew(leases, held)

        patch.setattr(Membership, "renew", members)
        patch.setattr(PartitionLeases, "take", took)
        patch.setattr(PartitionLeases, "renew", renewed)


async def test_a_partition_that_it_still_has_is_not_taken(
    redis_url: str, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis was away for longer than the lease, and answers before the renewal does."""
    outage = Outage(monkeypatch)
    async with dispatching(redis_url, world.keys):
        await until(lambda: len(outage.taken) == PARTITIONS // 2)
        own = next(each for each in iter(new_endpoint_id, "") if partition_of(each) in outage.taken)
        await world.add(receiver.url(), id=own)
        made = await world.commit(3)
        await until(lambda: receiver.ids() == made)
        outage.goes_on.clear()
        await until(lambda: outage.waiting)
        await world.redis.delete(world.keys.webhook_partition(partition_of(own)))
        outage.members = 1
        await until(lambda: len(outage.taken) >= PARTITIONS)
        assert sorted(outage.taken) == list(range(PARTITIONS))
        outage.goes_on.set()
        await until(lambda: outage.taken.count(partition_of(own)) == 2)
        made += await world.commit(3)
        await until(lambda: receiver.ids()[-1] == made[-1])
    assert receiver.ids() == made
