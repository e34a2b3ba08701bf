"""A dispatcher delivers: each event once, in order, signed, to those who may see it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from shared.domain.topics import ALL, Subscription
from shared.webhooks.endpoint import DeliveryOrder
from tests.shared.samples import R2
from tests.support.waiting import until
from tests.webhooks.receiver import Receiver
from tests.webhooks.world import World, dispatching


async def test_each_event_is_delivered_once_and_in_order(
    redis_url: str, world: World, receiver: Receiver
) -> None:
    old = await world.commit(30)
    endpoint = await world.add(receiver.url())
    async with dispatching(redis_url, world.keys):
        await until(lambda: receiver.ids() == old, what=lambda: f"{receiver.ids()}")
        new = await world.commit(30)
        await until(lambda: receiver.ids() == old + new, what=lambda: f"{receiver.ids()[30:]}")
    assert str(await world.position(endpoint)) == new[-1]
    assert [each.id for each in receiver.asked] == old + new
