"""Batches that come again have the same `webhook-id` and the same body."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest

from services.webhooks.delivering.catching_up import Catchup
from services.webhooks.delivering.window import DeliveryWindow
from services.webhooks.partitions.sharing import PARTITIONS, partition_of
from services.webhooks.reading.following import JournalFollower
from shared.domain.position import parse_position
from shared.webhooks.endpoint import DeliveryOrder
from shared.webhooks.progress import Progress, encode_progress
from tests.support.processes import running
from tests.support.waiting import until
from tests.webhooks.receiver import Receiver
from tests.webhooks.world import World, dispatching, environment

MODULE = "services.webhooks"


def exactly_once(receiver: Receiver) -> list[str]:
    """The events of a receiver that works on each delivery, and keeps each `webhook-id`."""
    bodies = {each.id: each for each in receiver.asked}
    assert len({(each.id, each.body) for each in receiver.asked}) == len(bodies)
    return sorted(own for each in bodies.values() for own in each.ids)


@pytest.mark.parametrize("order", DeliveryOrder)
async def test_a_batch_comes_again_as_it_was_after_a_lost_answer(
    redis_url: str, world: World, receiver: Receiver, order: DeliveryOrder
) -> None:
    await world.add(receiver.url(), batch=10, order=order)
    made = await world.commit(3)
    receiver.answer = lambda _: 500
    async with dispatching(redis_url, world.keys):
        await until(lambda: receiver.asked)
        made += await world.commit(4)
        await until(lambda: len(receiver.asked) > 1)
        made += await world.commit(4)
        receiver.answer = lambda _: 200
        await until(lambda: sorted(receiver.ids()) == sorted(made))
    assert exactly_once(receiver) == sorted(made)


@pytest.mark.parametrize("order", DeliveryOrder)
async def test_another_dispatcher_repeats_a_batch_as_it_was(
    redis_url: str, world: World, receiver: Receiver, order: DeliveryOrder
) -> None:
    given = environment(redis_url, world.keys, webhook_lease_seconds=2)
    await world.add(receiver.url(), batch=10, order=order)
    made = await world.commit(3)
    receiver.hold.clear()
    async with running(MODULE, **given) as first:
        await until(lambda: receiver.asked)
        first.signal(signal.SIGKILL)
        made += await world.commit(4)
    async with running(MODULE, **given):
        await until(lambda: len(receiver.asked) > 1)
        receiver.hold.set()
        await until(lambda: set(made) <= set(receiver.ids()))
    assert exactly_once(receiver) == sorted(made)
    first_batch, *others = [each.id for each in receiver.asked]
    assert first_batch in others


@pytest.mark.parametrize("retry_at", [None, 1.0])
async def test_a_dispatcher_that_has_read_less_than_the_one_before_repeats_a_batch_as_it_was(
    redis_url: str,
    world: World,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    retry_at: float | None,
) -> None:
    follow, catch_up = JournalFollower._read, Catchup.read
    goes_on, has_read = asyncio.Event(), asyncio.Event()

    async def follow_later(follower: JournalFollower, *given: Any) -> None:
        await goes_on.wait()
        await follow(follower, *given)

    async def noted(catchup: Catchup, window: DeliveryWindow) -> bool:
        found = await catch_up(catchup, window)
        has_read.set()
        return found

    monkeypatch.setattr(JournalFollower, "_read", follow_later)
    monkeypatch.setattr(Catchup, "read", noted)
    endpoint = await world.add(receiver.url(), batch=10)
    number = partition_of(endpoint.id)
    lease, other = map(world.keys.webhook_partition, (number, (number + 1) % PARTITIONS))
    await world.redis.set(lease, "the dispatcher before")
    made = await world.commit()
    async with dispatching(redis_url, world.keys):
        await until(lambda: world.redis.exists(other))
        made += await world.commit(2)
        position, batch = parse_position(made[0]), (parse_position(made[1]),)
        before = Progress(1, position, retry_at=retry_at, batches=(batch,))
        name, document = world.keys.webhook_progress, encode_progress(before)
        await world.redis.hset(name, endpoint.id, document.decode())
        await world.redis.delete(lease)
        await has_read.wait()
        goes_on.set()
        await until(lambda: receiver.ids() == made[1:])
    assert [each.id for each in receiver.taken] == made[1:]
