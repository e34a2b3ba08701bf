"""Redeliveries while Redis does not answer: they repeat one delivery at most, and they go on."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from services.webhooks.delivering.jobs import OwnerJobs
from services.webhooks.dispatcher import Dispatcher
from shared.domain.position import parse_position
from shared.webhooks.attempts import Attempt, AttemptStore
from shared.webhooks.changes import Change, ChangeKind
from shared.webhooks.redeliveries import Redelivery, RedeliveryStore
from tests.support.waiting import until
from tests.webhooks.receiver import Receiver
from tests.webhooks.test_late_renewal import LateAnswers
from tests.webhooks.world import World, dispatching


async def test_the_position_is_stored_before_the_next_delivery(
    redis: Redis, redis_url: str, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    move, asked = RedeliveryStore.move, list[int]()

    async def moved(store: RedeliveryStore, *given: Any, **more: Any) -> bool:
        asked.append(len(receiver.ids()))
        if len(asked) <= 3:
            raise RedisConnectionError("Redis does not answer")
        return await move(store, *given, **more)

    monkeypatch.setattr(RedeliveryStore, "move", moved)
    endpoint = await world.add(receiver.url())
    made = await world.commit(10)
    async with dispatching(redis_url, world.keys):
        await until(lambda: receiver.ids() == made)
        await add(redis, world, endpoint.id, made)
        await until(lambda: receiver.ids() == made + made[3:9])
    assert asked[:4] == [11] * 4


async def test_an_attempt_that_cannot_be_stored_is_not_repeated(
    redis: Redis, redis_url: str, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(store: AttemptStore, endpoint_id: str, attempt: Attempt) -> None:
        raise RedisConnectionError("Redis does not answer")

    monkeypatch.setattr(AttemptStore, "add", refused)
    endpoint = await world.add(receiver.url())
    made = await world.commit(10)
    async with dispatching(redis_url, world.keys):
        await until(lambda: receiver.ids() == made)
        await add(redis, world, endpoint.id, made)
        await until(lambda: len(receiver.ids()) == 16)
    assert receiver.ids() == made + made[3:9]


async def test_a_redelivery_goes_on_although_its_first_resumption_failed(
    redis: Redis, redis_url: str, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.random", lambda: 0.0)  # retries follow at once
    answers, rows = LateAnswers(monkeypatch), RedeliveryStore.of_endpoints
    ended, fails = asyncio.Event(), 0
    forget = OwnerJobs._forget

    def forgotten(jobs: OwnerJobs, *given: Any) -> None:
        forget(jobs, *given)
        ended.set()

    async def read(
        store: RedeliveryStore, ids: Collection[str]
    ) -> Mapping[str, Sequence[Redelivery]]:
        nonlocal fails
        if fails:
            fails -= 1
            raise RedisConnectionError("Redis does not answer")
        return await rows(store, ids)

    monkeypatch.setattr(RedeliveryStore, "of_endpoints", read)
    monkeypatch.setattr(OwnerJobs, "_forget", forgotten)
    endpoint = await world.add(receiver.url())
    made = await world.commit(10)
    async with dispatching(redis_url, world.keys, webhook_lease_seconds=8):
        await until(lambda: receiver.ids() == made)
        receiver.answer = lambda _: 500
        await add(redis, world, endpoint.id, made)
        await until(lambda: len(receiver.asked) > 13)
        await answers.end_all()
        await ended.wait()
        receiver.answer = lambda _: 200
        fails = 1
        answers.hold.set()
        await until(lambda: receiver.ids() == made + made[3:9])


async def test_a_job_that_is_cancelled_before_its_first_step_can_begin_again() -> None:
    begun = list[str]()

    class Jobs(OwnerJobs):
        async def _test(self, held: object, job: str) -> None:
            begun.append(job)

    class Nothing:
        async def of_endpoints(self, ids: Collection[str]) -> Mapping[str, Sequence[Redelivery]]:
            return {}

    class Held:
        class endpoint:  # noqa: N801
            id = "wh_1"

    jobs = Jobs(cast(Any, None), cast(Any, None), cast(Any, Nothing()))
    held, change = cast(Any, Held()), Change("wh_1", ChangeKind.TEST, "t1")
    await jobs.begin([change], [held])
    await jobs.cancel([held])
    assert begun == []
    await jobs.begin([change], [held])
    await until(lambda: begun == ["t1"])


async def test_a_partition_that_is_resumed_twice_is_not_forgotten() -> None:
    """The second time, while the redeliveries of the first are being read."""
    gate, calls = asyncio.Event(), list[object]()

    class Jobs:
        async def resume(self, endpoints: object) -> None:
            calls.append(endpoints)
            await gate.wait()

    class Registry:
        def of(self, partitions: Collection[object]) -> list[object]:
            return [*partitions]

    dispatcher = Dispatcher.__new__(Dispatcher)
    dispatcher._jobs, dispatcher._registry = cast(Any, Jobs()), cast(Any, Registry())
    dispatcher._resumed = {cast(Any, "partition")}
    first = asyncio.create_task(dispatcher._resume_jobs())
    await until(lambda: calls)
    dispatcher._resumed.add(cast(Any, "partition"))
    gate.set()
    await first
    await dispatcher._resume_jobs()
    assert calls == [["partition"], ["partition"]]


async def add(redis: Redis, world: World, endpoint_id: str, made: Sequence[str]) -> None:
    """Ask for a redelivery of the events 3 to 8."""
    store = RedeliveryStore(redis, world.keys)
    assert await store.add(endpoint_id, parse_position(made[2]), parse_position(made[8]))
