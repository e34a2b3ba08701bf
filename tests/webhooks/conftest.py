"""A namespace with a journal, and a receiver."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from shared.journal.keys import Keys
from tests.support.data import begun_long_ago
from tests.webhooks.receiver import Receiver, receiving
from tests.webhooks.world import World


@pytest.fixture
async def world(redis: Redis, keys: Keys) -> World:
    """A journal that has begun."""
    await begun_long_ago(redis, keys)
    world = World(redis, keys)
    await world.begin()
    return world


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on loopback."""
    async with receiving() as receiver:
        yield receiver
