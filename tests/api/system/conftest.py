"""Fixtures: fanouts in this process, and their clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.journal.keys import Keys
from tests.api.system.fanouts import StartFanouts
from tests.fanout.conftest import clients
from tests.fanout.replicas import Replica, in_process_replica


@pytest.fixture
async def fanouts(redis: Redis, redis_url: str, keys: Keys) -> AsyncIterator[StartFanouts]:
    """Starts fanouts in this process."""
    async with AsyncExitStack() as stack:

        async def start(count: int = 2, **settings: Any) -> list[Replica]:
            made = [in_process_replica(redis_url, keys, **settings) for _ in range(count)]
            return [await stack.enter_async_context(each) for each in made]

        yield start


__all__ = ["clients"]
