"""A simulated network with a history, and its Stellar RPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from deploy.simulator.app import running
from deploy.simulator.network import Network
from tests.simulator.samples import Call, aged


@pytest.fixture
def network() -> Network:
    return aged(25, step=5, history_ledgers=60)


@pytest.fixture
async def raw(network: Network) -> AsyncIterator[Call]:
    async with running(network) as url, aiohttp.ClientSession(url) as session:

        async def post(body: object) -> Any:
            async with session.post("/rpc", json=body) as response:
                assert response.status == 200
                assert response.content_type == "application/json"
                return await response.json()

        yield post


@pytest.fixture
async def call(raw: Call) -> Call:
    async def rpc(method: str, **params: object) -> Any:
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        answer = await raw(body)
        assert answer["id"] == 7
        return answer.get("result") or answer["error"]

    return rpc
