"""Fixtures of the tests of bad input, and those of the fanout's tests that serve here too."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import pytest

from tests.fanout.conftest import chain, clients, launch
from tests.fanout.rig import Chain, Replica, StartReplica
from tests.support.sse_client import SseClient

__all__ = ["chain", "clients", "launch"]

Witness = Callable[[], Awaitable[None]]


@pytest.fixture
async def replica(launch: StartReplica) -> Replica:
    return await launch(sync_seconds=0.5)


@pytest.fixture
async def witness(replica: Replica, chain: Chain, clients: list[SseClient]) -> Witness:
    return await witness_of(replica, chain, clients)


async def witness_of(replica: Replica, chain: Chain, clients: list[SseClient]) -> Witness:
    """To show that another subscriber gets its events, promptly, in order and each once."""
    client = await replica.subscribe("all=true")
    clients.append(client)
    sent: list[str] = []

    async def witness() -> None:
        began = time.monotonic()
        sent.extend(await chain.commit())
        await client.wait_id(sent[-1], seconds=2)
        assert client.positions == sent
        assert time.monotonic() - began < 2

    await witness()
    return witness
