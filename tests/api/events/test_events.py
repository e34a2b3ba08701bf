"""The event of a change is the same in the channel, the journal and the response."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import orjson
import pytest
from redis.asyncio import Redis

from shared.domain.position import START, parse_position
from shared.journal.keys import CHANNEL, Keys
from shared.journal.reader import Journal, JournalPage
from shared.journal.wire import JournalEntry, parse_message
from tests.api.samples import RECIPIENT, SENDER, Clock, made
from tests.support.web_client import WebClient


@asynccontextmanager
async def channel(redis: Redis, keys: Keys) -> AsyncIterator[Callable[[], Awaitable[JournalEntry]]]:
    """A function that waits for the next message of this namespace."""
    async with redis.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.subscribe(CHANNEL)
        await pubsub.get_message(timeout=30)  # the subscription itself

        async def following() -> JournalEntry:
            while True:
                message = await pubsub.get_message(timeout=30)
                if message:
                    namespace, entry = parse_message(message["data"])
                    if namespace == keys.namespace:
                        return entry

        async def deadline() -> JournalEntry:
            async with asyncio.timeout(30):
                return await following()

        yield deadline


@pytest.mark.parametrize(("call", "kind"), [("create", "created"), ("cancel", "cancelled")])
async def test_the_published_event_equals_the_journals_and_contains_the_stream(
    client: WebClient, redis: Redis, keys: Keys, call: str, kind: str
) -> None:
    before = START
    if call == "cancel":
        stream_id = (await made(client))["id"]
        before = (await Journal(redis, keys).tip()).top
    async with channel(redis, keys) as following:
        if call == "create":
            stream_id = (await made(client))["id"]
        else:
            await client.delete(f"/v1/streams/{stream_id}")
        entry = await following()
    page = await Journal(redis, keys).after(before)
    assert isinstance(page, JournalPage)
    assert list(page.entries) == [entry]
    assert entry.previous == str(before)
    assert entry.topics == (stream_id, f"user:{SENDER}", f"user:{RECIPIENT}")
    body = orjson.loads(entry.body)
    assert (body["id"], body["type"]) == (entry.position, f"stream.{kind}")
    assert body["stream"] == await (await client.get(f"/v1/streams/{stream_id}")).json()


async def test_completion_comes_after_its_withdrawal(
    client: WebClient, redis: Redis, keys: Keys, clock: Clock
) -> None:
    document = await made(client)
    clock.now += 1000
    response = await client.post(f"/v1/streams/{document['id']}/withdraw")
    page = await Journal(redis, keys).after(parse_position(document["position"]))
    assert isinstance(page, JournalPage)
    assert [e.type for e in page.entries] == ["stream.withdrawn", "stream.completed"]
    assert orjson.loads(page.entries[-1].body)["stream"] == await response.json()


async def test_a_refused_call_publishes_nothing(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    stream_id = (await made(client))["id"]
    top = (await Journal(redis, keys).tip()).top
    await client.post(f"/v1/streams/{stream_id}/resume")
    await client.delete(f"/v1/streams/{stream_id}", headers={"If-Match": '"5"'})
    await client.post("/v1/streams", json={})
    assert (await Journal(redis, keys).tip()).top == top
