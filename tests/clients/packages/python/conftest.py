"""Fixtures: real fanouts, an API that redirects to them, and clients that are closed at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

import pytest
from headrace_client import Client
from redis.asyncio import Redis

from shared.auth.revocations import RevocationStore
from shared.journal.keys import Keys
from tests.clients.packages.python.server import Server, server
from tests.fanout.conftest import start
from tests.support.data import begun_long_ago

__all__ = ["start"]

Connect: TypeAlias = Callable[..., Client]
StartServer: TypeAlias = Callable[..., Any]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Makes clients. They are closed after the test."""
    async with AsyncExitStack() as stack:

        def connect(port: int, *, path: str = "", **options: Any) -> Client:
            client = Client(f"http://127.0.0.1:{port}{path}", **options)
            stack.push_async_callback(client.close)
            return client

        yield connect


@pytest.fixture
async def start_server(redis: Redis, redis_url: str, keys: Keys) -> AsyncIterator[StartServer]:
    """Starts an API and two fanouts as processes. They are killed after the test."""
    async with AsyncExitStack() as stack:

        async def start_server(**settings: Any) -> Server:
            await begun_long_ago(redis, keys)
            return await stack.enter_async_context(server(redis_url, keys, **settings))

        yield start_server


@pytest.fixture
async def sessions(redis: Redis, keys: Keys) -> RevocationStore:
    """Stores revocations as the API does."""
    return RevocationStore(redis, keys)
