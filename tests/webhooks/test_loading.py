"""Which endpoints a dispatcher loads, although Redis reads a hash page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from shared.webhooks.endpoint import Endpoint, encode_endpoint
from shared.webhooks.store import EndpointStore, new_endpoint_id
from tests.support.waiting import until
from tests.webhooks.receiver import Receiver
from tests.webhooks.world import World, dispatching


async def test_an_endpoint_that_hscan_returns_twice_is_loaded_once(
    redis_url: str, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = EndpointStore.chosen

    async def twice(
        store: EndpointStore, is_wanted: Callable[[str], bool]
    ) -> AsyncIterator[list[Endpoint]]:
        async for page in chosen(store, is_wanted):
            yield page
            yield page

    monkeypatch.setattr(EndpointStore, "chosen", twice)
    await world.add(receiver.url())
    made = await world.commit(5)
    async with dispatching(redis_url, world.keys):
        await until(lambda: receiver.ids()[-1:] == made[-1:])
    assert receiver.ids() == made


async def test_an_endpoint_that_was_not_loaded_is_found_when_redis_is_another(
    redis: Redis, redis_url: str, world: World, receiver: Receiver
) -> None:
    """A cursor of HSCAN is of no use after a restart of Redis, and Redis does not say so."""
    await redis.hset(world.keys.progress, "server", "one")
    first = await world.add(receiver.url("first"))
    made = await world.commit(2)
    async with dispatching(redis_url, world.keys):
        await until(lambda: receiver.ids("first") == made)
        missed = replace(first, id=new_endpoint_id(), url=receiver.url("missed"))
        await redis.hset(world.keys.webhooks, missed.id, encode_endpoint(missed))  # tells nobody
        await redis.hset(world.keys.progress, "server", "another")
        await until(lambda: receiver.ids("missed") == made)
    assert receiver.ids("first") == made
