"""Fixtures: simulated networks, and clients that ask them through a socket."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from deploy.simulator.app import running
from deploy.simulator.network import Network
from deploy.simulator.settings import SimulatorSettings
from tests.simulator.samples import NOW, Sim


@pytest.fixture(scope="session")
def lived() -> Network:
    """A network that has seen a few hundred ledgers of its script; only to look at."""
    network = Network(SimulatorSettings(close_seconds=0), NOW)
    clock = random.Random(7)
    now = NOW
    for _ in range(250):
        now += clock.choice((0, 1, 5, 5, 6, 40))
        network.close(now)
    return network


@pytest.fixture
async def http(network: Network) -> AsyncIterator[aiohttp.ClientSession]:
    """Asks the test's own `network`, through a real socket."""
    async with (
        running(network) as url,
        aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(10)) as session,
    ):
        yield session


@pytest.fixture
async def sim(http: aiohttp.ClientSession) -> Sim:
    """Asks the control surface."""

    async def ask(method: str, path: str, **body: object) -> Any:
        async with http.request(method, f"/sim/{path}", json=body or None) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    return ask
