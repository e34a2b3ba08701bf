"""An owner changes a webhook while a delivery is under way, or while its outcome is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from services.webhooks.delivering.announcing import DisabledAnnouncer
from services.webhooks.delivering.held import HeldEndpoint
from services.webhooks.delivering.loading import EndpointLoader
from services.webhooks.delivering.registry import EndpointRegistry
from shared.domain.position import Position, parse_position
from shared.journal.wire import JournalEntry
from shared.webhooks.endpoint import DeliveryOrder, Endpoint, encode_endpoint
from shared.webhooks.progress import ProgressStore, ProgressWrite
from shared.webhooks.redeliveries import RedeliveryStore
from tests.support.waiting import until
from tests.webhooks.losing import lose_events
from tests.webhooks.receiver import Delivery, Receiver
from tests.webhooks.world import World, dispatching

ALWAYS = 60
"""Seconds of a lease that does not end during a test."""


class Gate:
    """Progress is stored only while `open` is set. `waiting` counts the writes that wait.

    `replaced` and `rewound` are set when the registry has taken over a change or a loss, `read`
    when all endpoints were read again.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr("random.random", lambda: 0.0)  # retries follow at once
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = 0
        self.replaced, self.rewound, self.read = (asyncio.Event() for _ in range(3))
        write, rewind = ProgressStore.write, EndpointRegistry.rewind
        replace_, reload_all = EndpointRegistry.replace, EndpointLoader.reload_all

        async def written(
            store: ProgressStore, partition: int, token: str, writes: Sequence[ProgressWrite]
        ) -> bool:
            self.waiting += not self.open.is_set()
            await self.open.wait()
            return await write(store, partition, token, writes)

        def rewound(
            registry: EndpointRegistry, common: Position, lost: Sequence[JournalEntry]
        ) -> None:
            rewind(registry, common, lost)
            self.rewound.set()

        def replaced(registry: EndpointRegistry, held: HeldEndpoint, endpoint: Endpoint) -> None:
            replace_(registry, held, endpoint)
            self.replaced.set()

        async def read(loader: EndpointLoader) -> None:
            await reload_all(loader)
            self.read.set()

        patch.setattr(ProgressStore, "write", written)
        patch.setattr(EndpointRegistry, "rewind", rewound)
        patch.setattr(EndpointRegistry, "replace", replaced)
        patch.setattr(EndpointLoader, "reload_all", read)

    async def close(self) -> None:
        """Hold writes, until one waits."""
        self.open.clear()
        await until(lambda: self.waiting, what="a write")


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(monkeypatch)


async def test_a_new_url_gets_what_the_old_one_refused(
    redis_url: str, world: World, receiver: Receiver, gate: Gate
) -> None:
    receiver.answer = lambda delivery: 500 if delivery.path == "/hook" else 200
    endpoint = await world.add(receiver.url())
    made = await world.commit(1)
    async with dispatching(redis_url, world.keys, webhook_lease_seconds=ALWAYS):
        await until(lambda: len(receiver.asked) > 2)
        await gate.close()
        await world.endpoints.replace(replace(endpoint, url=receiver.url("new"), revision=2))
        await gate.replaced.wait()
        gate.open.set()
        made += await world.commit(3)
        await until(lambda: receiver.ids("new") == made)


async def test_a_loss_is_told_although_a_failure_was_being_stored(
    redis_url: str, world: World, receiver: Receiver, gate: Gate
) -> None:
    """Events that come meanwhile are delivered too."""
    endpoint = await world.add(receiver.url())
    made = await world.commit(5)
    async with dispatching(redis_url, world.keys, webhook_lease_seconds=ALWAYS):
        lost = await world.commit_api("one")
        await until(lambda: world.stored_at(endpoint, lost))
        receiver.answer = lambda _: 500
        gone = await world.commit(2)
        await gate.close()
        await lose_events(world, [lost, *gone])
        new = await world.commit_api("two")
        await gate.rewound.wait()
        receiver.answer = lambda _: 200
        gate.open.set()
        await until(lambda: new in receiver.ids())
    assert receiver.kinds().count("reset") == 1
    assert receiver.ids() == [*made, lost, new]


async def test_the_old_url_cannot_disable_the_new_one(
    redis_url: str, world: World, receiver: Receiver, gate: Gate
) -> None:
    receiver.answer = lambda delivery: 410 if delivery.path == "/hook" else 200
    receiver.hold.clear()
    endpoint = await world.add(receiver.url())
    made = await world.commit(1)
    async with dispatching(redis_url, world.keys):
        await until(lambda: receiver.asked)
        await world.endpoints.replace(replace(endpoint, url=receiver.url("new"), revision=2))
        await gate.replaced.wait()
        receiver.hold.set()
        await until(lambda: receiver.ids("new") == made)


async def test_a_change_counts_although_a_failover_lost_the_one_before(
    redis: Redis, redis_url: str, world: World, receiver: Receiver, gate: Gate
) -> None:
    """Both have the same revision."""
    endpoint = await world.add(receiver.url())
    made = await world.commit(1)
    async with dispatching(redis_url, world.keys):
        await until(lambda: receiver.ids() == made)
        await world.endpoints.replace(replace(endpoint, url=receiver.url("lost"), revision=2))
        await gate.replaced.wait()
        gate.replaced.clear()
        await redis.hset(world.keys.webhooks, endpoint.id, encode_endpoint(endpoint).decode())
        await redis.hset(world.keys.progress, "server", "another")
        await gate.replaced.wait()
        made += await world.commit(1)
        await until(lambda: receiver.ids() == made)
        gate.replaced.clear()
        await world.endpoints.replace(replace(endpoint, url=receiver.url("new"), revision=2))
        await gate.replaced.wait()
        more = await world.commit(1)
        await until(lambda: receiver.ids("new") == more)
    assert receiver.ids("lost") == []


async def test_a_redelivery_ends_although_nobody_told_of_the_deletion(
    redis: Redis, redis_url: str, world: World, receiver: Receiver, gate: Gate
) -> None:
    endpoint, store = await world.add(receiver.url()), RedeliveryStore(redis, world.keys)
    made = await world.commit(10)
    async with dispatching(redis_url, world.keys):
        await until(lambda: receiver.ids() == made)
        receiver.answer = lambda _: 500
        await store.add(endpoint.id, parse_position(made[2]), parse_position(made[8]))
        await until(lambda: len(receiver.asked) > 12)
        await redis.hdel(world.keys.webhooks, endpoint.id)
        await redis.delete(world.keys.webhook_redeliveries(endpoint.id))
        await redis.hset(world.keys.progress, "server", "another")
        await gate.read.wait()
        await world.add(receiver.url("marker"), begins_after=parse_position(made[-1]))
        receiver.answer = lambda delivery: 500 if delivery.path == "/hook" else 200
        more = await world.commit(3)
        await until(lambda: receiver.ids("marker") == more)
        asked = len(receiver.asked)
        more += await world.commit(3)
        await until(lambda: receiver.ids("marker") == more)
    assert len(receiver.asked) == asked + 3


class OneAtATime:
    """Answers wait for `go`, except those that are asked for while `passes` is True."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.passes = False

    async def wait(self) -> None:
        if not self.passes:
            await self.go.wait()


async def test_a_disabled_endpoint_is_stored_with_what_other_streams_acknowledged(
    redis_url: str, world: World, receiver: Receiver, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce, go, began = DisabledAnnouncer.announce, asyncio.Event(), asyncio.Event()

    async def slow(announcer: DisabledAnnouncer, *given: Any) -> None:
        began.set()
        await go.wait()
        await announce(announcer, *given)

    monkeypatch.setattr(DisabledAnnouncer, "announce", slow)
    endpoint = await world.add(receiver.url(), order=DeliveryOrder.STREAM)
    made = await world.commit(8)
    answers: Any = OneAtATime()
    receiver.hold = answers

    def answer(delivery: Delivery) -> int:
        answers.passes = delivery.id == made[7]
        return 410 if answers.passes else 200

    receiver.answer = answer
    async with dispatching(redis_url, world.keys, webhook_lease_seconds=ALWAYS):
        await began.wait()
        answers.go.set()
        await until(lambda: world.stored_at(endpoint, made[6]))
        go.set()

        async def disabled() -> bool:
            progress = await world.progress(endpoint)
            return progress is not None and progress.disabled == "gone"

        await until(disabled)
    assert await world.stored_at(endpoint, made[6])
