"""Redis loses events, or all of them: what receivers get again, and what they are told."""

from __future__ import annotations

import orjson
import pytest
from redis.asyncio import Redis

from shared.domain.position import parse_position
from shared.journal.keys import Keys
from shared.journal.losses import read_reports
from shared.webhooks.endpoint import DeliveryOrder
from tests.archiver.archives import empty
from tests.fanout.journals import restore, snapshot
from tests.support.data import begun_long_ago
from tests.support.waiting import until
from tests.webhooks.receiver import Receiver
from tests.webhooks.world import World, dispatching


async def fail_over(world: World, before: dict[bytes, bytes], *, to: int) -> None:
    """Redis loses what was written after `before`, and all its connections break."""
    await restore(world.redis, world.keys, before)
    await world.rewind(to=to)
    await world.redis.client_kill_filter(_type="normal", skipme=True)


@pytest.mark.parametrize("order", DeliveryOrder)
async def test_events_that_come_back_are_not_delivered_again(
    redis: Redis, redis_url: str, world: World, receiver: Receiver, order: DeliveryOrder
) -> None:
    endpoint = await world.add(receiver.url(), order=order)
    async with dispatching(redis_url, world.keys):
        made = await world.commit(30)
        await until(lambda: len(receiver.ids()) == 30)
        before = await snapshot(redis, world.keys)
        lost = await world.commit(10)
        await until(lambda: len(receiver.ids()) == 40)
        await fail_over(world, before, to=30)
        between = await world.commit_beside()  # after the first event that was lost
        again = await world.commit(10)
        assert again == lost
        new = await world.commit(5)
        expected = [*made, *lost, between, *new]
        await until(lambda: len(receiver.ids()) == len(expected), what=lambda: f"{receiver.ids()}")
        if order is DeliveryOrder.ENDPOINT:
            assert receiver.ids() == expected
        assert sorted(receiver.ids()) == sorted(expected)
        assert str((await until(lambda: world.stored_at(endpoint, new[-1]))).position) == new[-1]
    assert "reset" not in receiver.kinds()


async def test_a_receiver_of_a_lost_event_of_the_api_gets_reset(
    redis: Redis, redis_url: str, world: World, receiver: Receiver
) -> None:
    await world.add(receiver.url())
    receiver.answer = lambda delivery: 503 if delivery.path == "/away" else 200
    await world.add(receiver.url("away"))
    async with dispatching(redis_url, world.keys):
        made = await world.commit(20)
        await until(lambda: len(receiver.taken) == 20)
        before = await snapshot(redis, world.keys)
        lost = await world.commit_api("one")
        after = await world.commit(3)
        await until(lambda: len(receiver.taken) == 24)
        await fail_over(world, before, to=20)
        receiver.answer = lambda delivery: (
            503 if delivery.path == "/away" or delivery.id.startswith("reset") else 200
        )
        await until(lambda: any(each.id == f"reset-{lost}" for each in receiver.asked))
    async with dispatching(redis_url, world.keys):  # the next dispatcher knows what is owed
        receiver.answer = lambda _: 200
        await until(lambda: "reset" in receiver.kinds())
        assert await world.commit(3) == after
        after += await world.commit(1)
        await until(lambda: after[-1] in receiver.ids() and after[-1] in receiver.ids("away"))
    kinds = receiver.kinds()
    assert kinds.count("reset") == 1
    (reset,) = [each for each in receiver.taken if each.id.startswith("reset")]
    assert orjson.loads(reset.body)["position"] == made[-1]
    events = [e.id for e in receiver.taken if e.path == "/hook" and e is not reset]
    assert events == [*made, lost, *after], "no event of the chain twice"
    assert receiver.ids("away") == made + after, "it never had the event that was lost"


async def test_nothing_is_delivered_after_redis_was_emptied(
    redis: Redis, redis_url: str, world: World, receiver: Receiver
) -> None:
    await world.add(receiver.url())
    async with dispatching(redis_url, world.keys):
        made = await world.commit(5)
        await until(lambda: receiver.ids() == made)
        await empty(redis, world.keys)
        await until(lambda: read_reports(redis, world.keys))
        await world.begin()
        world.ledger = 0
        await world.commit(8)
        await world.add(receiver.url("new"))
        await until(lambda: len(receiver.ids("new")) == 8)
        assert receiver.ids() == made


async def test_an_endpoint_behind_the_journal_is_told_of_the_gap(
    redis: Redis, redis_url: str, world: World, receiver: Receiver
) -> None:
    made = await world.commit(30)
    endpoint = await world.add(receiver.url(), begins_after=parse_position(made[4]))
    await world.trim(kept=10)
    async with dispatching(redis_url, world.keys):
        await until(lambda: len(receiver.taken) == 11)
    assert receiver.kinds()[0] == "gap"
    gap = orjson.loads(receiver.taken[0].body)
    assert (gap["from"], gap["to"]) == (made[4], made[19])
    assert receiver.taken[0].id == f"gap-{made[4]}-{made[19]}"
    assert [each.id for each in receiver.taken[1:]] == made[20:]
    assert str(await world.position(endpoint)) == made[-1]


async def test_a_lost_progress_of_the_indexer_repeats_nothing(
    redis: Redis, redis_url: str, keys: Keys, receiver: Receiver
) -> None:
    """The dispatcher was there before the journal, so it has read the very first event."""
    await begun_long_ago(redis, keys)
    world = World(redis, keys)
    async with dispatching(redis_url, keys):
        await until(lambda: redis.exists(keys.webhook_partition(0)))
        await world.begin()
        await world.add(receiver.url())
        made = [*await world.commit(10), await world.commit_api("one")]
        await until(lambda: receiver.ids() == made)
        await redis.delete(keys.progress)
        await redis.client_kill_filter(_type="normal", skipme=True)
        made += await world.commit(3)
        await until(lambda: made[-1] in receiver.ids())
    assert receiver.ids() == made
    assert "reset" not in receiver.kinds()
