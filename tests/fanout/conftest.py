"""Fixtures of the fanout's tests: a chain that commits events, and fixtures that start replicas."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from services.fanout.connections import registry as registry_module
from services.fanout.connections.registry import SubscriberRegistry
from shared.auth.revocations import RevocationStore
from shared.journal.keys import Keys
from tests.fanout.peers import NO_POLLER, FakeSubscribers, MakePeer, Peer, RecordingBroadcaster
from tests.fanout.replicas import Chain, Replica, StartReplica, in_process_replica, replica_process
from tests.fanout.tokens import REQUIRED
from tests.support.data import begun_long_ago
from tests.support.sse_client import SseClient
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until


@pytest.fixture
def chain(redis: Redis, keys: Keys) -> Chain:
    return Chain(redis, keys)


@pytest.fixture
async def start(redis: Redis, redis_url: str, keys: Keys) -> AsyncIterator[StartReplica]:
    """Starts replicas in this process. They stop after the test."""
    async with AsyncExitStack() as stack:

        async def start(url: str = redis_url, **settings: Any) -> Replica:
            await begun_long_ago(redis, keys)
            return await stack.enter_async_context(in_process_replica(url, keys, **settings))

        yield start


@pytest.fixture
async def launch(redis: Redis, redis_url: str, keys: Keys) -> AsyncIterator[StartReplica]:
    """Starts replicas as separate processes. They are killed after the test."""
    async with AsyncExitStack() as stack:

        async def launch(url: str = redis_url, **settings: Any) -> Replica:
            await begun_long_ago(redis, keys)
            return await stack.enter_async_context(replica_process(url, keys, **settings))

        yield launch


@pytest.fixture
async def clients() -> AsyncIterator[list[SseClient]]:
    """A list for the clients of a test. All clients in the list are closed after the test."""
    kept: list[SseClient] = []
    yield kept
    for client in kept:
        client.close()


@pytest.fixture
async def replica(start: StartReplica) -> Replica:
    return await start()


@pytest.fixture
async def proxy(redis_url: str) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(urlsplit(redis_url).port or 6379) as proxy:
        yield proxy


@pytest.fixture
async def start_behind_proxy(start: StartReplica, proxy: TcpProxy) -> StartReplica:
    """Starts replicas that connect to Redis through the proxy."""

    async def start_behind_proxy(**settings: Any) -> Replica:
        return await start(f"redis://127.0.0.1:{proxy.port}/0", **settings)

    return start_behind_proxy


@pytest.fixture
async def registry() -> AsyncIterator[SubscriberRegistry]:
    registry = SubscriberRegistry(
        backlog_bytes=10_000, total_backlog_bytes=1 << 20, write_seconds=20.0
    )
    yield registry
    registry.hub.check()
    registry.close()
    assert (registry.count, len(registry.hub), registry.slow._members) == (0, 0, set())


@pytest.fixture
def make_peer(registry: SubscriberRegistry) -> Iterator[MakePeer]:
    made = []

    def make(*topics: str, **more: Any) -> Peer:
        made.append(Peer(registry, *topics, **more))
        return made[-1]

    yield make
    for peer in made:
        peer.sock.close()


@pytest.fixture
async def broadcaster(registry: SubscriberRegistry) -> RecordingBroadcaster:
    return RecordingBroadcaster(registry)


@pytest.fixture
async def make_fakes(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeSubscribers]:
    monkeypatch.setattr(registry_module, "make_poller", lambda _: NO_POLLER)
    make_fakes = FakeSubscribers()
    yield make_fakes
    make_fakes.registry.hub.check()


@pytest.fixture
async def auth_replica(start: StartReplica) -> Replica:
    """A replica with AUTH_MODE=required."""
    return await start(**REQUIRED)


@pytest.fixture
async def stream(auth_replica: Replica, chain: Chain) -> str:
    """The id of stream 7, from Alice to Bob. The replica has read its first event."""
    (position,) = await chain.commit()
    await until(lambda: str(auth_replica.components.feed.position) == position)
    return "7"


@pytest.fixture
async def sessions(redis: Redis, keys: Keys) -> RevocationStore:
    """Stores revocations as the API does."""
    return RevocationStore(redis, keys)
