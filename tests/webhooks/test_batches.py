"""Batches that come again have the same `webhook-id` and the same body."""

from __future__ import annotations

import signal

import pytest

from shared.webhooks.endpoint import DeliveryOrder
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
    assert receiver.asked[1].id == receiver.asked[0].id
