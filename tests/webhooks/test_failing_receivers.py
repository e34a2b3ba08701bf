"""Receivers that fail: nothing is passed over, and no stream is tried too soon."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import web

from shared.webhooks.endpoint import DeliveryOrder
from shared.webhooks.progress import ProgressStore, ProgressWrite
from tests.shared.samples import at
from tests.support.waiting import until
from tests.webhooks.receiver import Delivery, Receiver
from tests.webhooks.world import World, dispatching


async def test_a_gap_is_told_after_the_events_before_it(
    redis_url: str, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the events before it were forgotten when the receiver failed, and read again."""
    monkeypatch.setattr("random.random", lambda: 0.0)  # retries follow at once
    made = await world.commit(10)
    rows: Any = await world.redis.xrange(world.keys.journal)
    await world.redis.xdel(world.keys.journal, rows[5][0])
    receiver.answer = lambda _: 500 if len(receiver.asked) < 5 else 200
    endpoint = await world.add(receiver.url(), batch=10)
    async with dispatching(redis_url, world.keys):
        await until(lambda: world.stored_at(endpoint, made[-1]))
    assert receiver.ids() == made[:5] + made[6:]


async def test_a_stream_that_fails_is_not_tried_again_when_another_succeeds(
    redis_url: str, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, others = ProgressStore.write, asyncio.Event()

    async def written(
        store: ProgressStore, partition: int, token: str, writes: Sequence[ProgressWrite]
    ) -> bool:
        if any(b"503" in each.attempt for each in writes):
            await others.wait()  # the failure is stored after a success of another stream
        return await write(store, partition, token, writes)

    monkeypatch.setattr(ProgressStore, "write", written)
    endpoint = await world.add(receiver.url(), order=DeliveryOrder.STREAM)
    made = await world.commit(10)
    async with dispatching(redis_url, world.keys):
        await until(lambda: world.stored_at(endpoint, made[-1]))
        refused = str(at(world.ledger + 1))

        def answer(delivery: Delivery) -> int | web.Response:
            if delivery.id == refused:
                return web.Response(status=503, headers={"Retry-After": "60"})
            if refused in {each.id for each in receiver.asked}:
                others.set()
            return 200

        receiver.answer = answer
        made += await world.commit(50)
        await until(lambda: len(receiver.ids()) == 55)
    tried = [each.id for each in receiver.asked].count(refused)
    assert tried == 1, "the receiver asked for 60 s"
