"""A client disconnects, or a drain begins, while Redis counts the client's connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from redis.asyncio import Redis

from services.fanout.app import HANDLER
from shared.journal.keys import Keys
from tests.fanout.replicas import SUBSCRIBE, Replica, StartReplica
from tests.support.sse_client import SseClient
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until


@pytest.fixture
async def counted(redis: Redis, keys: Keys) -> Callable[[], Awaitable[int]]:
    """The number of connections that Redis counts for this address."""
    return lambda: redis.zcard(keys.connections("ip", "127.0.0.1"))


@pytest.fixture
async def none_counted(counted: Callable[[], Awaitable[int]]) -> Callable[[], Awaitable[bool]]:
    async def none_counted() -> bool:
        return await counted() == 0

    return none_counted


@pytest.fixture
async def replica(
    start_behind_proxy: StartReplica, none_counted: Callable[[], Awaitable[bool]]
) -> Replica:
    """A replica that has counted before, so that Redis has its script in the cache."""
    replica = await start_behind_proxy(connections_per_ip=1, probe_seconds=0.2)
    (await replica.subscribe()).close()
    await until(none_counted)
    return replica


@pytest.fixture
async def being_counted(
    replica: Replica, proxy: TcpProxy, counted: Callable[[], Awaitable[int]]
) -> AsyncIterator[SseClient]:
    """A client that Redis has counted, while Redis' reply has not reached the replica."""
    proxy.hold = lambda link: b"EVAL" in link.first_bytes
    client = await SseClient.connect(replica.port, f"{SUBSCRIBE}?all=true")
    await until(counted)
    yield client
    proxy.hold = lambda _: False
    client.close()


async def test_a_client_that_disconnects_while_its_lease_is_taken_is_not_counted(
    being_counted: SseClient, none_counted: Callable[[], Awaitable[bool]]
) -> None:
    being_counted.close()
    await until(none_counted)


async def test_a_client_that_arrives_during_a_drain_gets_overload(
    replica: Replica,
    proxy: TcpProxy,
    being_counted: SseClient,
    none_counted: Callable[[], Awaitable[bool]],
) -> None:
    replica.app[HANDLER].draining = True
    proxy.hold = lambda _: False
    await until(being_counted.closed.is_set)
    assert [event.name for event in being_counted.events] == ["overload"]
    assert replica.components.registry.count == 0
    await until(none_counted)
