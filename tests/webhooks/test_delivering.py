"""A dispatcher delivers: each event once, in order, signed, to those who may see it."""

from __future__ import annotations

from dataclasses import replace

import orjson

from shared.domain.position import parse_position
from shared.domain.topics import ALL, Subscription, user_topic
from shared.journal.reader import Journal
from shared.webhooks.attempts import AttemptStore
from shared.webhooks.endpoint import DeliveryOrder, Endpoint
from tests.shared.samples import R2, R, S
from tests.support.waiting import until
from tests.webhooks.receiver import Receiver
from tests.webhooks.world import STREAMS, World, dispatching


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
    attempts = await AttemptStore(world.redis, world.keys).newest(endpoint.id)
    assert [each.message_id for each in attempts] == (old + new)[::-1][:50]


async def test_an_endpoint_gets_only_what_it_asked_for_and_may_see(
    redis_url: str, world: World, receiver: Receiver
) -> None:
    everything, created = Subscription((ALL,)), frozenset({"stream.created"})
    await world.add(receiver.url("own"), subscription=everything)
    await world.add(receiver.url("stranger"), account=R2, subscription=everything)
    await world.add(receiver.url("admin"), account=R2, subscription=everything, sees_all=True)
    await world.add(receiver.url("other"), account=R2, subscription=Subscription((user_topic(S),)))
    await world.add(receiver.url("created"), subscription=Subscription((user_topic(S),), created))
    await world.add(receiver.url("one"), account=R, subscription=Subscription(("2",)))
    async with dispatching(redis_url, world.keys):
        made = await world.commit(3 * STREAMS)
        await until(lambda: receiver.ids("own") == receiver.ids("admin") == made)
        await until(lambda: receiver.ids("created") == made[:STREAMS])
        await until(lambda: receiver.ids("one") == made[::STREAMS])
    assert receiver.ids("stranger") == receiver.ids("other") == []


async def test_the_body_is_that_of_the_journal(
    redis_url: str, world: World, receiver: Receiver
) -> None:
    await world.add(receiver.url())
    await world.add(receiver.url("batch"), batch=10)
    made = await world.commit(25)
    async with dispatching(redis_url, world.keys):
        await until(lambda: receiver.ids() == receiver.ids("batch") == made)
    bodies = [each.body for each in await Journal(world.redis, world.keys).latest(100)]
    assert [each.body for each in receiver.taken if each.path == "/hook"] == bodies
    batches = [each for each in receiver.taken if each.path == "/batch"]
    assert [len(orjson.loads(each.body)["events"]) for each in batches] == [10, 10, 5]
    assert [each.id for each in batches] == [made[9], made[19], made[24]]


async def test_streams_are_delivered_side_by_side_and_each_in_order(
    redis_url: str, world: World, receiver: Receiver
) -> None:
    here = parse_position((await world.commit(STREAMS))[-1])
    endpoint = await world.add(receiver.url(), order=DeliveryOrder.STREAM, begins_after=here)
    async with dispatching(redis_url, world.keys):
        receiver.hold.clear()
        made = await world.commit(3 * STREAMS)
        await until(lambda: len(receiver.asked) == 8)
        assert [each.id for each in receiver.asked] == made[:8]
        receiver.hold.set()
        await until(lambda: sorted(receiver.ids(), key=parse_position) == made)
        for stream in range(STREAMS):
            own = made[stream::STREAMS]
            assert [each for each in receiver.ids() if each in own] == own

        async def stored() -> bool:
            return str(await world.position(endpoint)) == made[-1]

        await until(stored)


async def test_one_stream_that_is_refused_does_not_stop_the_others(
    redis_url: str, world: World, receiver: Receiver
) -> None:
    made = await world.commit(3 * STREAMS)
    refused, wanted = set(made[::STREAMS]), [e for n, e in enumerate(made) if n % STREAMS]
    receiver.answer = lambda delivery: 500 if delivery.id in refused else 200
    endpoint = await world.add(receiver.url(), order=DeliveryOrder.STREAM)
    async with dispatching(redis_url, world.keys):
        await until(lambda: sorted(receiver.ids(), key=parse_position) == wanted)

        async def stored() -> bool:
            progress = await world.progress(endpoint)
            return progress is not None and len(progress.acknowledged) == len(wanted)

        await until(stored)
    async with dispatching(redis_url, world.keys):
        receiver.answer = lambda _: 200
        await until(lambda: len(receiver.ids()) == len(made))
    assert sorted(receiver.ids(), key=parse_position) == made


async def test_a_receiver_that_is_away_delays_no_other_and_misses_nothing(
    redis_url: str, world: World, receiver: Receiver
) -> None:
    receiver.answer = lambda delivery: 503 if delivery.path == "/away" else 200
    away = await world.add(receiver.url("away"))
    await world.add(receiver.url())
    async with dispatching(redis_url, world.keys):
        made = await world.commit(300)  # more than an endpoint has in memory
        await until(lambda: receiver.ids() == made)

        async def failing() -> bool:
            progress = await world.progress(away)
            return progress is not None and progress.failures >= 3

        await until(failing)
        assert {each.id for each in receiver.asked if each.path == "/away"} == {made[0]}
        receiver.answer = lambda _: 200
        await until(lambda: receiver.ids("away") == made)
        await until(lambda: receiver.ids() == made)

        async def well() -> bool:
            progress = await world.progress(away)
            return progress is not None and (progress.failures, progress.retry_at) == (0, None)

        await until(well)


async def change(world: World, endpoint: Endpoint, **more: object) -> Endpoint:
    """Change an endpoint as its owner does."""
    changed = replace(endpoint, revision=endpoint.revision + 1, **more)  # type: ignore[arg-type]
    await world.endpoints.replace(changed)
    return changed


async def test_a_change_takes_effect_while_deliveries_run(
    redis_url: str, world: World, receiver: Receiver
) -> None:
    endpoint = await world.add(receiver.url("before"))
    async with dispatching(redis_url, world.keys):
        made = await world.commit(5)
        await until(lambda: receiver.ids("before") == made)
        receiver.hold.clear()
        made += await world.commit(10)
        await until(lambda: len(receiver.asked) == 6)
        endpoint = await change(world, endpoint, url=receiver.url("after"))
        other = await world.add(receiver.url("other"))
        await until(lambda: any(each.path == "/other" for each in receiver.asked))
        receiver.hold.set()
        await until(lambda: receiver.ids("after") == made[6:])
        assert receiver.ids("before") == made[:6]
        created = Subscription((user_topic(S),), frozenset({"stream.created"}))
        await change(world, endpoint, subscription=created)
        await world.endpoints.delete(other)
        third = await world.add(receiver.url("third"))
        await until(lambda: receiver.ids("third") == made)  # so the changes were read before
        seen = len(receiver.ids("other"))
        made += await world.commit(5)
        await until(lambda: receiver.ids("third") == made)
        assert len(receiver.ids("after")) == len(made[6:15])
        assert len(receiver.ids("other")) == seen
        assert await world.progress(third) is not None


async def test_a_paused_endpoint_goes_on_where_it_stopped_or_elsewhere(
    redis_url: str, world: World, receiver: Receiver
) -> None:
    endpoint = await world.add(receiver.url())
    await world.add(receiver.url("other"))
    async with dispatching(redis_url, world.keys):
        made = await world.commit(5)
        await until(lambda: receiver.ids() == receiver.ids("other") == made)
        endpoint = await change(world, endpoint, enabled=False)
        await world.add(receiver.url("marker"))
        await until(lambda: receiver.ids("marker") == made)  # so the change was read before
        made += await world.commit(5)
        await until(lambda: receiver.ids("other") == made)
        assert receiver.ids() == made[:5]
        endpoint = await change(world, endpoint, enabled=True, generation=2, begins_after=None)
        await until(lambda: receiver.ids() == made)
        again = parse_position(made[1])
        await change(world, endpoint, generation=3, begins_after=again)
        await until(lambda: receiver.ids() == made + made[2:])
