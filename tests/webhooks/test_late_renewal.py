"""A renewal of the leases that Redis answers late: deliveries stop, and then they go on."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from services.webhooks.delivering.deliveries import EndpointDeliveries
from services.webhooks.partitions.leases import HeldPartition
from shared.journal.reader import Journal
from shared.redis.lease import Lease
from tests.support.waiting import until
from tests.webhooks.receiver import Receiver
from tests.webhooks.world import World, dispatching


class LateAnswers:
    """While `hold` is not set, renewals wait for their answer. `waiting` counts these.

    `partitions` are all partitions that were ever held. `stopped` is set when a delivery could not
    begin because its partition was not valid.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.hold = asyncio.Event()
        self.hold.set()
        self.waiting = 0
        self.partitions: set[HeldPartition] = set()
        self.stopped = asyncio.Event()
        renew, extend = Lease.renew, HeldPartition.extend
        may_begin = EndpointDeliveries._may_begin

        async def late(lease: Lease) -> bool:
            answer = await renew(lease)
            self.waiting += not self.hold.is_set()
            await self.hold.wait()
            return answer

        def seen(partition: HeldPartition, until: float) -> None:
            self.partitions.add(partition)
            extend(partition, until)

        def asked(deliveries: EndpointDeliveries) -> bool:
            if not (answer := may_begin(deliveries)):
                self.stopped.set()
            return answer

        patch.setattr(Lease, "renew", late)
        patch.setattr(HeldPartition, "extend", seen)
        patch.setattr(EndpointDeliveries, "_may_begin", asked)

    async def expire(self) -> None:
        """Let all partitions end while their renewal waits, until a delivery could not begin."""
        await self.end_all()
        await self.stopped.wait()

    async def end_all(self) -> None:
        """Let all partitions end while their renewal waits."""
        self.hold.clear()
        await until(lambda: self.waiting)
        for each in self.partitions:
            each.end()


async def test_deliveries_go_on_when_a_renewal_was_answered_late(
    redis_url: str, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The endpoint failed before, so new events of the journal do not begin its deliveries."""
    monkeypatch.setattr("random.random", lambda: 0.0)  # retries follow at once
    answers = LateAnswers(monkeypatch)
    receiver.answer = lambda _: 500
    await world.add(receiver.url())
    made = await world.commit(3)
    async with dispatching(redis_url, world.keys, webhook_lease_seconds=8):
        await until(lambda: len(receiver.asked) > 5)
        await answers.expire()
        receiver.answer = lambda _: 200
        answers.hold.set()
        await until(lambda: receiver.ids() == made)


async def test_no_disabling_is_announced_without_the_lease(
    redis: Redis, redis_url: str, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another dispatcher may have delivered the event in the meantime."""
    answers = LateAnswers(monkeypatch)
    receiver.answer = lambda _: 410
    receiver.hold.clear()
    await world.add(receiver.url())
    await world.commit(1)
    async with dispatching(redis_url, world.keys, webhook_lease_seconds=8):
        await until(lambda: receiver.asked)
        await answers.end_all()
        receiver.hold.set()
        await answers.stopped.wait()
        journal = Journal(redis, world.keys)
        assert [each.type for each in await journal.latest(10)] == ["stream.created"]
        answers.hold.set()

        async def announced() -> bool:
            return "webhook.disabled" in {each.type for each in await journal.latest(10)}

        await until(announced)
