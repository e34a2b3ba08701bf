"""Fixtures for the tests of bad input. Some come from the tests of the fanout."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.fanout.conftest import chain, clients, launch
from tests.fanout.replicas import Chain, Replica, StartReplica
from tests.fanout.stopwatch import Stopwatch
from tests.support.sse_client import SseClient

__all__ = ["chain", "clients", "launch"]

CheckSubscriber = Callable[[], Awaitable[None]]


@pytest.fixture
async def replica(launch: StartReplica) -> Replica:
    return await launch(sync_seconds=0.5)


@pytest.fixture
async def check_subscriber(
    replica: Replica, chain: Chain, clients: list[SseClient]
) -> CheckSubscriber:
    return await subscriber_check(replica, chain, clients)


async def subscriber_check(
    replica: Replica, chain: Chain, clients: list[SseClient]
) -> CheckSubscriber:
    """Connect a client. The returned function checks that it gets a new event once, within 2 s."""
    client = await replica.subscribe("all=true")
    clients.append(client)
    sent: list[str] = []

    async def check_subscriber() -> None:
        stopwatch = Stopwatch(replica.process.pid)
        sent.extend(await chain.commit())
        await client.wait_id(sent[-1])
        assert client.positions == sent
        assert stopwatch.seconds < 2

    await check_subscriber()
    return check_subscriber
