"""The fixture of the token reader's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from shared.journal.keys import Keys
from tests.indexer.simulated import simulated
from tests.indexer.tokens.reading import Tokens


@pytest.fixture
async def bench(redis: Redis, keys: Keys) -> AsyncIterator[Tokens]:
    async with simulated(1, streams=0) as sim:
        bench = Tokens(sim, redis, keys)
        async with bench.running():
            yield bench
