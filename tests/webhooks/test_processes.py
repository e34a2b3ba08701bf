"""Dispatchers as processes: killed, stopped and continued, ended in order, two at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence

import pytest
from redis.asyncio import Redis

from shared.webhooks.endpoint import DeliveryOrder, Endpoint
from tests.support.pace import last
from tests.support.processes import running
from tests.support.waiting import until
from tests.webhooks.receiver import Receiver
from tests.webhooks.world import STREAMS, World, environment

pytestmark = [pytest.mark.io, pytest.mark.timeout(90)]

MODULE = "services.webhooks"


def without_repeats(ids: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(ids))


async def committing(world: World, seconds: float) -> list[str]:
    """Commit events for some time. Returns their ids."""
    made, loop = [], asyncio.get_running_loop()
    until_then = loop.time() + seconds
    while loop.time() < until_then:
        made += await world.commit()
        await last(0.01)
    return made


async def some_endpoints(
    world: World, receiver: Receiver, count: int, **more: object
) -> list[Endpoint]:
    return [await world.add(receiver.url(f"hook{n}"), **more) for n in range(count)]


@pytest.mark.parametrize("order", DeliveryOrder)
async def test_another_dispatcher_goes_on_after_a_kill(
    redis: Redis, redis_url: str, world: World, receiver: Receiver, order: DeliveryOrder
) -> None:
    count, given = 20, environment(redis_url, world.keys, webhook_lease_seconds=2)
    await some_endpoints(world, receiver, count, order=order)
    async with running(MODULE, **given) as first, running(MODULE, **given) as second:
        await until(lambda: second.log_lines("webhooks_loaded"))
        made = await committing(world, 1.0)
        first.signal(signal.SIGKILL)
        made += await committing(world, 1.0)
        for n in range(count):
            await until(lambda n=n: set(receiver.ids(f"hook{n}")) == set(made))
    at_once = 1 if order is DeliveryOrder.ENDPOINT else 8
    for n in range(count):
        ids = receiver.ids(f"hook{n}")
        assert len(ids) - len(made) <= at_once
        if order is DeliveryOrder.ENDPOINT:
            assert without_repeats(ids) == made
        else:  # in order for each stream
            for stream in range(STREAMS):
                own = made[stream::STREAMS]
                assert without_repeats([each for each in ids if each in set(own)]) == own


async def test_a_stopped_dispatcher_moves_nothing_back(
    redis: Redis, redis_url: str, world: World, receiver: Receiver
) -> None:
    given = environment(redis_url, world.keys, webhook_lease_seconds=1)
    endpoints = await some_endpoints(world, receiver, 10)
    async with running(MODULE, **given) as first, running(MODULE, **given) as second:
        await until(lambda: second.log_lines("webhooks_loaded"))
        made = await committing(world, 1.0)
        first.signal(signal.SIGSTOP)
        made += await committing(world, 3.0)
        for n in range(10):
            await until(lambda n=n: without_repeats(receiver.ids(f"hook{n}")) == made)
        first.signal(signal.SIGCONT)
        made += await committing(world, 3.0)
        for n in range(10):
            await until(lambda n=n: without_repeats(receiver.ids(f"hook{n}")) == made)
        for endpoint in endpoints:
            await until(lambda e=endpoint: world.stored_at(e, made[-1]), what="its position")
    for n in range(10):
        assert len(receiver.ids(f"hook{n}")) <= len(made) + 1


async def test_two_dispatchers_share_and_the_end_of_one_loses_no_time(
    redis: Redis, redis_url: str, world: World, receiver: Receiver
) -> None:
    given = environment(redis_url, world.keys, webhook_lease_seconds=20)
    await some_endpoints(world, receiver, 10)
    async with running(MODULE, **given) as first:
        await until(lambda: first.log_lines("webhooks_loaded"))
        made = await world.commit(20)
        async with running(MODULE, **given) as second:
            await until(lambda: second.log_lines("webhooks_loaded"))
            made += await committing(world, 0.5)
            first.signal(signal.SIGTERM)
            assert await first.ended() == 0
            made += await committing(world, 0.5)
            for n in range(10):
                await until(lambda n=n: receiver.ids(f"hook{n}") == made, seconds=15)
    for n in range(10):
        assert receiver.ids(f"hook{n}") == made


async def test_a_journal_that_was_trimmed_meanwhile_is_told_as_a_gap(
    redis_url: str, world: World, receiver: Receiver
) -> None:
    await world.add(receiver.url())
    given = environment(redis_url, world.keys, webhook_lease_seconds=60)
    async with running(MODULE, **given) as process:
        made = await world.commit(20)
        await until(lambda: receiver.ids() == made)
        process.signal(signal.SIGSTOP)
        late = await world.commit(1)  # the answer to a read that waits in the dispatcher
        late += await world.commit(29)
        await world.trim(kept=5)
        process.signal(signal.SIGCONT)
        await until(lambda: receiver.ids()[-5:] == late[-5:])
    (gap,) = [each for each in receiver.taken if each.id.startswith("gap")]
    before = receiver.ids()[:-5]
    assert before in (made, made + late[:1])
    assert gap.id == f"gap-{before[-1]}-{late[-6]}"
    assert receiver.taken[-6] == gap
