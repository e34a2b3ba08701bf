"""Endpoints that are disabled, tests, and events that only the archive has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from redis.asyncio import Redis

from services.webhooks import measuring
from services.webhooks.metrics import LAG
from shared.domain.topics import Subscription, user_topic
from shared.journal.reader import Journal
from shared.webhooks.attempts import AttemptKind, AttemptStore
from shared.webhooks.changes import Change, ChangeKind, ChangeLog
from tests.shared.samples import S
from tests.support.archived import JournalArchive
from tests.support.waiting import until
from tests.webhooks.receiver import Receiver
from tests.webhooks.world import World, dispatching

DISABLED = Subscription((user_topic(S),), frozenset({"webhook.disabled"}))


def lag() -> float:
    """The metric of this process."""
    (metric,) = LAG.collect()
    return metric.samples[0].value


@pytest.mark.parametrize(("status", "reason"), [(410, "gone"), (500, "failed")])
async def test_a_disabled_endpoint_goes_on_when_its_owner_says_so(
    redis_url: str, world: World, receiver: Receiver, status: int, reason: str
) -> None:
    receiver.answer = lambda delivery: status if delivery.path == "/hook" else 200
    endpoint = await world.add(f"{receiver.url()}?token=secret")
    await world.add(receiver.url("owner"), subscription=DISABLED)
    days = 1.0 / 86_400
    async with dispatching(redis_url, world.keys, webhook_retry_days=days):
        made = await world.commit(3)
        (told,) = await until(lambda: [d for d in receiver.taken if d.path == "/owner"])

        async def disabled() -> bool:
            progress = await world.progress(endpoint)
            return progress is not None and progress.disabled == reason

        await until(disabled)
        asked = len(receiver.asked)
        await world.commit(3)
        await world.add(receiver.url("marker"))
        await until(lambda: len(receiver.ids("marker")) == 7)
        assert len([each for each in receiver.asked if each.path == "/hook"]) == asked - 1
        receiver.answer = lambda _: 200
        await world.endpoints.replace(
            replace(endpoint, revision=2, generation=2, begins_after=None)
        )
        await until(lambda: receiver.ids() == receiver.ids("marker"))
    event = orjson.loads(told.body)
    assert event["type"] == "webhook.disabled"
    assert (event["account"], event["webhookId"], event["reason"]) == (S, endpoint.id, reason)
    assert event["url"] == receiver.url(), "a query often has a secret"
    assert receiver.ids()[:3] == made
    progress = await world.progress(endpoint)
    assert progress is not None
    assert (progress.generation, progress.disabled, progress.failures) == (2, "", 0)


async def test_a_repeated_410_is_announced_once(
    redis: Redis, redis_url: str, world: World, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 410
    endpoint = await world.add(receiver.url())
    await world.commit(1)
    for _ in range(2):
        async with dispatching(redis_url, world.keys):

            async def disabled() -> bool:
                progress = await world.progress(endpoint)
                return progress is not None and bool(progress.disabled)

            await until(disabled)
        await redis.hdel(world.keys.webhook_progress, endpoint.id)  # it was not stored
    entries = await Journal(redis, world.keys).latest(10)
    assert [each.type for each in entries] == ["stream.created", "webhook.disabled"]


async def test_a_test_is_delivered_even_to_a_paused_endpoint(
    redis: Redis, redis_url: str, world: World, receiver: Receiver
) -> None:
    endpoint = await world.add(receiver.url(), enabled=False)
    async with dispatching(redis_url, world.keys):
        await world.add(receiver.url("marker"))
        await world.commit(1)
        await until(lambda: receiver.ids("marker"))
        log = ChangeLog(redis, world.keys)
        await log.add(Change(endpoint.id, ChangeKind.TEST, "msg_1"))
        await until(lambda: receiver.kinds() == ["webhook.test"])
        attempts = AttemptStore(redis, world.keys)
        (attempt,) = await until(lambda: attempts.newest(endpoint.id))
    assert (attempt.kind, attempt.message_id) == (AttemptKind.TEST, "msg_1")
    assert orjson.loads(receiver.taken[-1].body)["webhookId"] == endpoint.id
    assert receiver.ids() == []


async def test_events_that_only_the_archive_has_are_delivered(
    redis: Redis, redis_url: str, world: World, receiver: Receiver, tmp_path: Path
) -> None:
    await world.add(receiver.url())
    made = await world.commit(30)
    archive = JournalArchive(redis, world.keys, tmp_path)
    await archive.append()
    await archive.trim(kept=10)
    async with dispatching(redis_url, world.keys, archive_url=archive.url):
        await until(lambda: receiver.ids() == made)
    assert "gap" not in receiver.kinds()


async def test_a_history_that_cannot_be_read_lags(
    redis_url: str,
    world: World,
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody knows the age of the next event, but an operator must learn that it waits."""
    monkeypatch.setattr(measuring, "_EVERY_SECONDS", 0.05)
    await world.add(receiver.url())
    made = await world.commit(30)
    archive = JournalArchive(world.redis, world.keys, tmp_path / "archive")
    await archive.append()
    await archive.trim(kept=10)
    away = archive.folder.rename(tmp_path / "away")
    async with dispatching(redis_url, world.keys, archive_url=archive.url):
        await until(lambda: lag() > 0.5, what="a lag")
        assert receiver.ids() == []
        away.rename(archive.folder)
        await until(lambda: receiver.ids() == made)
        await until(lambda: lag() == 0, what="no lag")


async def test_a_dispatcher_that_restarts_tells_no_false_gap(
    redis: Redis, redis_url: str, world: World, receiver: Receiver
) -> None:
    """An endpoint at rest has an old position. It is moved forward before the process ends."""
    created = Subscription((user_topic(S),), frozenset({"stream.created"}))
    await world.add(receiver.url(), subscription=created)
    made = await world.commit(40)
    async with dispatching(redis_url, world.keys):
        await until(lambda: receiver.ids() == made[:10])
        await world.add(receiver.url("marker"))
        await until(lambda: receiver.ids("marker") == made)
    await world.trim(kept=5)
    async with dispatching(redis_url, world.keys):
        made += await world.commit(1)
        await until(lambda: receiver.ids("marker") == made)
    assert set(receiver.kinds()) == {"stream.created"}
