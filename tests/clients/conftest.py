"""Fixtures of the tests of bad input, and those of the fanout's tests that serve here too."""

from __future__ import annotations

import time

import pytest

from tests.fanout.conftest import chain, clients, launch

__all__ = ["chain", "clients", "launch"]


@pytest.fixture
async def replica(launch):
    return await launch(sync_seconds=0.5)


@pytest.fixture
async def witness(replica, chain, clients):
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
