"""Endpoints and their progress, in a real Redis."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from shared.domain.position import Position
from shared.domain.topics import Subscription
from shared.journal.keys import Keys
from shared.redis.replication import NotReplicatedError, Replicas
from shared.webhooks.attempts import Attempt, AttemptKind, AttemptStore, encode_attempt
from shared.webhooks.changes import Change, ChangeKind, ChangeLog
from shared.webhooks.endpoint import DeliveryOrder, Endpoint, SealedSecret
from shared.webhooks.progress import Progress, ProgressStore, ProgressWrite, encode_progress
from shared.webhooks.redeliveries import (
    MOST_REDELIVERIES,
    Redelivery,
    RedeliveryStore,
    TooManyRedeliveriesError,
)
from shared.webhooks.store import (
    EndpointConflictError,
    EndpointDeletedError,
    EndpointStore,
    TooManyEndpointsError,
    new_endpoint_id,
)

ALICE = "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"


def endpoint() -> Endpoint:
    return Endpoint(
        id=new_endpoint_id(),
        account=ALICE,
        url="https://shop.example/hook",
        subscription=Subscription((f"user:{ALICE}",), frozenset({"stream.created"})),
        secrets=(SealedSecret("plain:whsec_x"), SealedSecret("plain:whsec_y", 1_800_000_000)),
        created=1_790_000_000,
        begins_after=Position(5, 6),
        order=DeliveryOrder.STREAM,
    )


async def test_an_endpoint_is_read_as_it_was_written(redis: Redis, keys: Keys) -> None:
    store, made = EndpointStore(redis, keys), endpoint()
    await store.create(made, most=1)
    assert await store.load([made.id, new_endpoint_id()]) == {made.id: made}
    assert await store.of_account(ALICE) == [made]
    assert [each async for each in store.all()] == [made]


async def test_an_account_has_a_limited_number_of_endpoints(redis: Redis, keys: Keys) -> None:
    store = EndpointStore(redis, keys)
    await store.create(endpoint(), most=1)
    with pytest.raises(TooManyEndpointsError):
        await store.create(endpoint(), most=1)


async def test_of_two_changes_of_the_same_revision_one_is_refused(redis: Redis, keys: Keys) -> None:
    store, made = EndpointStore(redis, keys), endpoint()
    await store.create(made, most=1)
    await store.replace(replace(made, enabled=False, revision=2))
    with pytest.raises(EndpointConflictError):
        await store.replace(replace(made, description="late", revision=2))
    assert (await store.load([made.id]))[made.id].enabled is False


async def test_a_refusal_does_not_wait_for_replicas(redis: Redis, keys: Keys) -> None:
    """Nothing was written, so nothing can get lost."""
    store, made = EndpointStore(redis, keys), endpoint()
    await store.create(made, most=1)
    waiting = EndpointStore(redis, keys, Replicas(redis, 1))
    with pytest.raises(TooManyEndpointsError):
        await waiting.create(replace(made, id=new_endpoint_id()), most=1)
    with pytest.raises(EndpointConflictError):
        await waiting.replace(replace(made, revision=3))
    assert not await waiting.delete(endpoint())
    with pytest.raises(NotReplicatedError):
        await waiting.replace(replace(made, revision=2))
    with pytest.raises(NotReplicatedError):
        await waiting.confirm()


async def test_progress_is_stored_only_with_the_lease(redis: Redis, keys: Keys) -> None:
    store, made = EndpointStore(redis, keys), endpoint()
    await store.create(made, most=1)
    progress, attempts = ProgressStore(redis, keys), AttemptStore(redis, keys)
    attempt = Attempt(1.5, AttemptKind.EVENT, "7-1", 1, 0.25, status=200, answer="ok")
    batches = ((Position(8, 1), Position(9, 2)),)
    at = Progress(1, Position(7, 1), (Position(9, 1),), 2, 3.0, 4.0, batches=batches)
    write = ProgressWrite(made.id, at, encode_attempt(attempt))
    await redis.set(keys.webhook_partition(3), "other")
    assert not await progress.write(3, "mine", [write])
    assert await progress.load([made.id]) == {}
    await redis.set(keys.webhook_partition(3), "mine")
    gone = ProgressWrite(new_endpoint_id(), at)
    assert await progress.write(3, "mine", [write, gone])
    assert await progress.load([made.id, gone.endpoint_id]) == {made.id: at}
    assert await attempts.newest(made.id) == [attempt]


async def test_a_write_that_comes_late_moves_no_position_back(redis: Redis, keys: Keys) -> None:
    """Its answer did not come in time, so it was written again on another connection."""
    store, made = EndpointStore(redis, keys), endpoint()
    await store.create(made, most=1)
    await redis.set(keys.webhook_partition(3), "mine")
    before = Progress(1, Position(5, 1))
    document = encode_progress(before).replace(b',"writes":0,"batches":[]', b"")
    assert b"writes" not in document
    await redis.hset(keys.webhook_progress, made.id, document)  # that of an earlier release
    progress, attempts = ProgressStore(redis, keys), AttemptStore(redis, keys)
    assert await progress.load([made.id]) == {made.id: before}
    late = Attempt(1.5, AttemptKind.EVENT, "9-1", 1, 0.25, status=200)
    steps = [(10, 9), (12, 12), (11, 10)]  # position and number, in the order of their arrival
    for position, writes in steps:
        at = Progress(1, Position(position, 1), writes=writes)
        attempt = encode_attempt(late) if writes == 10 else b""
        assert await progress.write(3, "mine", [ProgressWrite(made.id, at, attempt)])
    assert (await progress.load([made.id]))[made.id].position == Position(12, 1)
    assert await attempts.newest(made.id) == []


async def test_a_deleted_endpoint_leaves_nothing_behind(redis: Redis, keys: Keys) -> None:
    store, made = EndpointStore(redis, keys), endpoint()
    await store.create(made, most=1)
    await redis.set(keys.webhook_partition(0), "mine")
    attempt = encode_attempt(Attempt(1.5, AttemptKind.TEST, "t", 0, 0.1, error="refused"))
    writes = [ProgressWrite(made.id, Progress(1, Position(7, 1)), attempt)]
    await ProgressStore(redis, keys).write(0, "mine", writes)
    assert await RedeliveryStore(redis, keys).add(made.id, Position(1, 1), Position(2, 2))
    assert await store.delete(made)
    assert not await store.delete(made)
    test = Attempt(2.5, AttemptKind.TEST, "late", 0, 0.1, status=200)
    await AttemptStore(redis, keys).add(made.id, test)
    left = {key async for key in redis.scan_iter(f"*{keys.namespace}*webhook*")}
    assert left == {keys.webhook_changes.encode(), keys.webhook_partition(0).encode()}


@pytest.mark.parametrize("kind", ["attempt", "redelivery"])
async def test_what_is_added_while_an_endpoint_is_deleted_does_not_stay(
    redis: Redis, keys: Keys, kind: str
) -> None:
    """Nobody would ever delete it."""
    store = EndpointStore(redis, keys)
    attempts, redeliveries = AttemptStore(redis, keys), RedeliveryStore(redis, keys)
    test = Attempt(2.5, AttemptKind.TEST, "late", 0, 0.1, status=200)
    for _ in range(20):
        made = endpoint()
        await store.create(made, most=1)
        added = (
            attempts.add(made.id, test)
            if kind == "attempt"
            else redeliveries.add(made.id, Position(1, 1), Position(2, 2))
        )
        await asyncio.gather(added, store.delete(made), return_exceptions=True)
    left = {key async for key in redis.scan_iter(f"*{keys.namespace}*webhook*")}
    assert left == {keys.webhook_changes.encode()}


async def test_an_endpoint_has_few_redeliveries_however_many_are_asked_for_at_once(
    redis: Redis, keys: Keys
) -> None:
    store, made = RedeliveryStore(redis, keys), endpoint()
    await EndpointStore(redis, keys).create(made, most=1)
    log, asked = ChangeLog(redis, keys), (Position(1, 1), Position(2, 2))
    before = await log.end()
    answers = await asyncio.gather(
        *(store.add(made.id, *asked) for _ in range(20)), return_exceptions=True
    )
    refused = [each for each in answers if isinstance(each, TooManyRedeliveriesError)]
    assert len(refused) == 20 - MOST_REDELIVERIES
    started = {each.id for each in answers if isinstance(each, Redelivery)}
    assert {each.id for each in await store.of_endpoint(made.id)} == started
    told = await log.after(before)
    assert told
    assert {(each.kind, each.job) for each in told[1]} == {
        (ChangeKind.REDELIVER, each) for each in started
    }


async def test_a_refused_redelivery_does_not_wait_for_replicas(redis: Redis, keys: Keys) -> None:
    store, made = RedeliveryStore(redis, keys, Replicas(redis, 1)), endpoint()
    with pytest.raises(EndpointDeletedError):
        await store.add(made.id, Position(1, 1), Position(2, 2))
    await EndpointStore(redis, keys).create(made, most=1)
    with pytest.raises(NotReplicatedError):
        await store.add(made.id, Position(1, 1), Position(2, 2))


async def test_changes_are_read_in_order(redis: Redis, keys: Keys) -> None:
    log, store, made = ChangeLog(redis, keys), EndpointStore(redis, keys), endpoint()
    start = await log.end()
    await store.create(made, most=1)
    await log.add(Change(made.id, ChangeKind.TEST, "t1"))
    answer = await log.after(start)
    assert answer is not None
    end, changes = answer
    assert changes == [Change(made.id, ChangeKind.CHANGED), Change(made.id, ChangeKind.TEST, "t1")]
    assert await log.after(end) == (end, [])


async def test_a_reader_learns_that_changes_were_dropped(redis: Redis, keys: Keys) -> None:
    log = ChangeLog(redis, keys)
    await log.add(Change("wh_1", ChangeKind.CHANGED))
    end = await log.end()
    await redis.delete(keys.webhook_changes)
    assert await log.after(end) is None
