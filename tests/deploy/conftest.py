"""Fixtures: simulated networks, and what stands behind a gateway."""

from __future__ import annotations

import random
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from deploy.local.network.app import running
from deploy.local.network.network import Network
from deploy.local.network.settings import Settings
from shared.keys import Keys
from tests.deploy.fanouts import Fanouts
from tests.deploy.network_samples import NOW, Sim
from tests.fanout.rig import CONTRACT
from tests.support import processes
from tests.support.name_server import name_server

SHARED = {"scope": "module", "loop_scope": "module"}
"""What a gateway's tests share; those that need other fanouts or limits start their own."""


@pytest.fixture(scope="session")
def lived() -> Network:
    """A network that has seen a few hundred ledgers of its script; only to look at."""
    network = Network(Settings(close_seconds=0), NOW)
    clock = random.Random(7)
    now = NOW
    for _ in range(250):
        now += clock.choice((0, 1, 5, 5, 6, 40))
        network.close(now)
    return network


@pytest.fixture
async def exposition(redis_url: str, keys: Keys) -> list[str]:
    """The lines of /metrics of each service, just started."""
    lines: list[str] = []
    for service in ("indexer", "api", "fanout"):
        environment = {"REDIS_URL": redis_url, "NAMESPACE": keys.namespace, "CONTRACTS": CONTRACT}
        async with (
            processes.running(f"services.{service}", **environment) as process,
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{process.port}/metrics") as response,
        ):
            lines += (await response.text()).splitlines()
    return lines


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


@pytest_asyncio.fixture(**SHARED)
async def names():
    async with name_server({}) as server:
        yield server


@pytest.fixture(scope="module")
def module_keys() -> Keys:
    return Keys(f"test-{uuid.uuid4().hex[:12]}")


@pytest_asyncio.fixture(**SHARED)
async def fanouts(redis_url, module_keys, names):
    async with Fanouts(redis_url, module_keys, names) as fanouts:
        await fanouts.start(BACKLOG_BYTES=200_000)
        yield fanouts
