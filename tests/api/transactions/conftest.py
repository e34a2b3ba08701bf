"""An API in front of a simulated network without a script."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from deploy.simulator.chain import accounts
from shared.journal.keys import Keys
from tests.api.transactions.gate import Gate
from tests.api.transactions.network import Journal
from tests.indexer.simulated import PASSPHRASE, Sim, simulated
from tests.support.web_client import StartApi, WebClient


@pytest.fixture
async def sim() -> AsyncIterator[Sim]:
    async with simulated(3, streams=0) as sim:
        yield sim


@pytest.fixture
def journal(sim: Sim, redis: Redis, keys: Keys) -> Journal:
    return Journal(sim, redis, keys)


@pytest.fixture
async def api(start: StartApi, settings: dict[str, Any]) -> WebClient:
    """An API in AUTH_MODE=open with this network."""
    return await start(**settings)


@pytest.fixture
async def gate(sim: Sim) -> AsyncIterator[Gate]:
    async with Gate(sim).running() as gate:
        yield gate


@pytest.fixture
def settings(sim: Sim) -> dict[str, Any]:
    """The settings of an API with this network."""
    return {
        "contracts": (accounts.STREAMS,),
        "network_passphrase": PASSPHRASE,
        "rpc_url": f"{sim.url}/rpc",
    }
