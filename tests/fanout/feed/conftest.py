"""Fixtures of a Redis with replicas, and of fanouts that read them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from services.fanout.feed import server as feed_server
from shared.journal.keys import Keys
from shared.redis.client import connect
from tests.fanout.replicas import Chain, Replica, in_process_replica
from tests.fanout.replicated import StartOn
from tests.support.data import begun_long_ago
from tests.support.redis_links import LinkedRedis, linked_redis
from tests.support.redis_node import Node
from tests.support.redis_server import PATIENT


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[LinkedRedis]:
    async with linked_redis(tmp_path) as servers:
        yield servers


@pytest.fixture
async def primary(servers: LinkedRedis) -> AsyncIterator[Redis]:
    client = connect(servers.url, timeout=PATIENT)
    yield client
    await client.aclose()


@pytest.fixture
def on_primary(primary: Redis, keys: Keys) -> Chain:
    return Chain(primary, keys)


@pytest.fixture
async def start_on(servers: LinkedRedis, primary: Redis, keys: Keys) -> AsyncIterator[StartOn]:
    """Starts fanouts that read from these servers. Without servers: from any replica."""
    async with AsyncExitStack() as stack:

        async def start_on(*nodes: Node, **more: Any) -> Replica:
            await begun_long_ago(primary, keys)
            settings: dict[str, Any] = {"feed_redis_url": servers.url_of(*nodes), **more}
            fanout = in_process_replica(servers.url, keys, probe_seconds=0.1, **settings)
            return await stack.enter_async_context(fanout)

        yield start_on


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A problem of a replica counts after 0.3 s."""
    monkeypatch.setattr(feed_server, "BOUND_SECONDS", 0.3)
    monkeypatch.setattr(feed_server, "_MOVE_SECONDS", 0.5)
