"""Fixtures of the fanout's tests: a chain that commits, and a replica on either loop."""

from __future__ import annotations

from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from shared.keys import Keys
from tests.fanout.rig import Chain, Replica, inside, outside
from tests.support.tcp_proxy import TcpProxy


@pytest.fixture
def chain(redis: Redis, keys: Keys) -> Chain:
    return Chain(redis, keys)


@pytest.fixture
async def start(redis_url: str, keys: Keys):
    """To start replicas in this process, with settings; they end after the test."""
    async with AsyncExitStack() as stack:

        async def start(url: str = redis_url, **settings) -> Replica:
            return await stack.enter_async_context(inside(url, keys, **settings))

        yield start


@pytest.fixture
async def launch(redis_url: str, keys: Keys):
    """To start replicas as processes; they are killed after the test."""
    async with AsyncExitStack() as stack:

        async def launch(url: str = redis_url, **settings) -> Replica:
            return await stack.enter_async_context(outside(url, keys, **settings))

        yield launch


@pytest.fixture
async def clients():
    """Keep clients here and they are hung up after the test."""
    kept = []
    yield kept
    for client in kept:
        client.close()


@pytest.fixture
async def replica(start) -> Replica:
    return await start()


@pytest.fixture
async def proxy(redis_url):
    async with TcpProxy(urlsplit(redis_url).port) as proxy:
        yield proxy


@pytest.fixture
async def start_behind(start, proxy):
    """Starts replicas that see Redis through the proxy."""

    async def start_behind(**settings):
        return await start(f"redis://127.0.0.1:{proxy.port}/0", **settings)

    return start_behind
