"""Redeliveries: a range once more, also behind a gap; they wait and end when the owner says so."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from redis.asyncio import Redis

from shared.domain.position import Position, parse_position
from shared.webhooks.attempts import AttemptKind, AttemptStore
from shared.webhooks.endpoint import Endpoint
from shared.webhooks.redeliveries import RedeliveryStore
from tests.support.waiting import until
from tests.webhooks.receiver import Receiver
from tests.webhooks.world import World, dispatching


async def ended(store: RedeliveryStore, endpoint: Endpoint) -> bool:
    """True if all redeliveries of the endpoint have ended."""
    return not await store.of_endpoint(endpoint.id)


async def ask(store: RedeliveryStore, endpoint: Endpoint, after: str, to: str) -> str:
    """Ask for a redelivery. Returns its id."""
    redelivery = await store.add(endpoint.id, parse_position(after), parse_position(to))
    assert redelivery is not None
    return redelivery.id


async def test_a_redelivery_repeats_a_range_and_survives_its_dispatcher(
    redis: Redis, redis_url: str, world: World, receiver: Receiver
) -> None:
    endpoint = await world.add(receiver.url())
    made = await world.commit(30)
    store = RedeliveryStore(redis, world.keys)
    async with dispatching(redis_url, world.keys):
        await until(lambda: receiver.ids() == made)
        await until(lambda: world.stored_at(endpoint, made[-1]))
        receiver.answer = lambda delivery: 500 if delivery.id == made[14] else 200
        await store.add(endpoint.id, parse_position(made[9]), parse_position(made[19]))
        await until(lambda: receiver.ids() == made + made[10:14])
        await until(lambda: len(receiver.asked) > 35)
    assert await store.of_endpoint(endpoint.id)
    receiver.answer = lambda _: 200
    async with dispatching(redis_url, world.keys):
        await until(lambda: receiver.ids() == made + made[10:20])
        await until(lambda: ended(store, endpoint))
    assert await world.stored_at(endpoint, made[-1])
    kinds = [each.kind for each in await AttemptStore(redis, world.keys).newest(endpoint.id)]
    assert kinds[0] == AttemptKind.REDELIVERY


@pytest.mark.parametrize("batch", [1, 100])
async def test_a_redelivery_tells_of_the_gap_like_a_first_delivery(
    redis: Redis, redis_url: str, world: World, receiver: Receiver, batch: int
) -> None:
    made = await world.commit(30)
    begin, store = parse_position(made[-1]), RedeliveryStore(redis, world.keys)
    endpoint = await world.add(receiver.url(), begins_after=begin, batch=batch)
    await world.trim(kept=10)
    receiver.answer = lambda _: 200 if len(receiver.asked) > 1 else 500
    async with dispatching(redis_url, world.keys):
        await ask(store, endpoint, made[4], made[-1])
        await until(lambda: receiver.ids() == made[20:])
        await until(lambda: ended(store, endpoint))
        gap = receiver.taken[0]
        assert receiver.asked[0] == gap, "it is tried until it is taken"
        assert gap.id == f"gap-{made[4]}-{made[19]}"
        body = orjson.loads(gap.body)
        assert (body["type"], body["from"], body["to"]) == ("gap", made[4], made[19])
        await ask(store, endpoint, made[4], made[9])
        await until(lambda: ended(store, endpoint))
    assert receiver.taken[-1].id == f"gap-{made[4]}-{made[9]}", "it ends where the range ends"
    assert receiver.ids() == made[20:]
    kinds = {each.kind for each in await AttemptStore(redis, world.keys).newest(endpoint.id)}
    assert kinds == {AttemptKind.REDELIVERY}


async def test_a_redelivery_waits_while_its_endpoint_is_paused(
    redis: Redis, redis_url: str, world: World, receiver: Receiver
) -> None:
    made = await world.commit(30)
    begin, store = parse_position(made[-1]), RedeliveryStore(redis, world.keys)
    endpoint = await world.add(receiver.url(), begins_after=begin)
    async with dispatching(redis_url, world.keys):
        receiver.hold.clear()
        await ask(store, endpoint, made[9], made[19])
        await until(lambda: receiver.asked)
        paused = replace(endpoint, revision=2, enabled=False)
        await world.endpoints.replace(paused)
        await world.add(receiver.url("marker"), begins_after=parse_position(made[-2]))
        await until(lambda: len(receiver.asked) == 2)  # so the change was read before
        receiver.hold.set()
        await until(lambda: receiver.ids() == made[10:11])  # it was under way
        await ask(store, endpoint, made[27], made[28])
        made += await world.commit(3)
        await until(lambda: receiver.ids("marker") == made[29:])
        assert receiver.ids() == made[10:11]
        await world.endpoints.replace(replace(paused, revision=3, enabled=True, generation=2))
        await until(lambda: ended(store, endpoint))
        expected = sorted([*made[10:20], made[28], *made[30:]])
        await until(lambda: sorted(receiver.ids()) == expected, what=lambda: f"{receiver.ids()}")


async def test_a_redelivery_waits_while_its_endpoint_is_disabled(
    redis: Redis, redis_url: str, world: World, receiver: Receiver
) -> None:
    made = await world.commit(30)
    begin, store = parse_position(made[-2]), RedeliveryStore(redis, world.keys)
    receiver.answer = lambda delivery: 410 if delivery.path == "/hook" else 200
    endpoint = await world.add(receiver.url(), begins_after=begin)
    async with dispatching(redis_url, world.keys):

        async def disabled() -> bool:
            progress = await world.progress(endpoint)
            return progress is not None and progress.disabled == "gone"

        await until(disabled)
        receiver.answer = lambda _: 200
        await ask(store, endpoint, made[9], made[19])
        await world.add(receiver.url("marker"), begins_after=begin)
        await until(lambda: len(receiver.ids("marker")) == 2)
        assert receiver.ids() == []
    async with dispatching(redis_url, world.keys):  # nor does the next dispatcher begin
        made += await world.commit(1)
        await until(lambda: made[-1] in receiver.ids("marker"))
        assert receiver.ids() == []
        await world.endpoints.replace(
            replace(endpoint, revision=2, generation=2, begins_after=None)
        )
        await until(lambda: ended(store, endpoint))
        await until(lambda: set(made[10:20]) | {made[29], made[30]} <= set(receiver.ids()))
    assert [each for each in receiver.ids() if each in made[10:20]] == made[10:20]


async def test_a_redelivery_that_is_stopped_delivers_nothing_more(
    redis: Redis, redis_url: str, world: World, receiver: Receiver
) -> None:
    made = await world.commit(30)
    begin, store = parse_position(made[-1]), RedeliveryStore(redis, world.keys)
    endpoint = await world.add(receiver.url(), begins_after=begin)
    async with dispatching(redis_url, world.keys):
        receiver.hold.clear()
        one = await ask(store, endpoint, made[9], made[19])
        await until(lambda: receiver.asked)
        assert await store.stop(endpoint.id, one)
        assert not await store.stop(endpoint.id, one)
        await ask(store, endpoint, made[24], made[25])
        await until(lambda: len(receiver.asked) == 2)
        receiver.hold.set()
        await until(lambda: ended(store, endpoint))
        assert [each.id for each in receiver.asked] == [made[10], made[25]]


async def test_a_redelivery_ends_with_its_webhook(
    redis: Redis, redis_url: str, world: World, receiver: Receiver
) -> None:
    made = await world.commit(30)
    begin, store = parse_position(made[-1]), RedeliveryStore(redis, world.keys)
    endpoint = await world.add(receiver.url(), begins_after=begin)
    async with dispatching(redis_url, world.keys):
        receiver.hold.clear()
        await ask(store, endpoint, made[9], made[19])
        await until(lambda: receiver.asked)
        await world.endpoints.delete(endpoint)
        await world.add(receiver.url("marker"), begins_after=parse_position(made[-2]))
        await until(lambda: len(receiver.asked) == 2)  # so the change was read before
        receiver.hold.set()
        made += await world.commit(3)
        await until(lambda: receiver.ids("marker") == made[29:])
    assert [each.id for each in receiver.asked if each.path == "/hook"] == made[10:11]
    assert await ended(store, endpoint), "the end of a delivery does not bring it back"


async def test_a_redelivery_is_stored_until_it_is_stopped_and_only_by_its_dispatcher(
    redis: Redis, world: World
) -> None:
    store, name = RedeliveryStore(redis, world.keys), (await world.add("https://x.example/")).id
    redelivery = await store.add(name, Position(1, 0), Position(9, 0))
    moved = replace(redelivery, after=Position(5, 0))
    await redis.set(world.keys.webhook_partition(1), "dispatcher")
    assert await store.move(name, moved, partition=1, token="dispatcher")
    assert not await store.move(name, redelivery, partition=1, token="former dispatcher")
    assert await store.of_endpoint(name) == [moved]
    assert await store.move(name, redelivery, partition=1, token="dispatcher"), "a late copy"
    assert await store.of_endpoint(name) == [moved]
    further = replace(redelivery, after=Position(5, 1 << 60))
    assert await store.move(name, further, partition=1, token="dispatcher")
    assert await store.of_endpoint(name) == [further]
    assert await store.stop(name, redelivery.id)
    assert not await store.move(name, redelivery, partition=1, token="dispatcher")
    assert await store.of_endpoints([name, "wh_2"]) == {name: [], "wh_2": []}
