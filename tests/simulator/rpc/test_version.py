"""getVersionInfo of the simulated RPC, before and after an upgrade."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from deploy.simulator.network import Network
from tests.simulator.samples import Sim, aged

pytestmark = [pytest.mark.io, pytest.mark.timeout(15)]


@pytest.fixture
def network() -> Network:
    return aged(5)


async def call(http: aiohttp.ClientSession, method: str) -> Any:
    body = {"jsonrpc": "2.0", "id": 7, "method": method}
    async with http.post("/rpc", json=body) as response:
        answer = await response.json()
    return answer.get("result") or answer["error"]


async def test_the_version_is_that_of_the_protocol(http: aiohttp.ClientSession) -> None:
    assert await call(http, "getVersionInfo") == {
        "version": "30.0.0-headrace",
        "commitHash": "headrace",
        "buildTimestamp": "2026-11-28T12:00:00",
        "captiveCoreVersion": "stellar-core 30.0.0 (headrace)",
        "protocolVersion": 30,
    }


async def test_a_server_can_be_replaced_by_an_older_one(
    http: aiohttp.ClientSession, sim: Sim
) -> None:
    older = {"version": "22.1.3-7e71", "core": "stellar-core 22.4.1", "protocol": 22}
    await sim("POST", "versions", server="rpc", **older)
    told = await call(http, "getVersionInfo")
    assert (told["version"], told["captiveCoreVersion"]) == ("22.1.3-7e71", "stellar-core 22.4.1")
    assert told["protocolVersion"] == (await call(http, "getNetwork"))["protocolVersion"] == 22


async def test_an_rpc_can_lack_the_method(http: aiohttp.ClientSession, sim: Sim) -> None:
    await sim("POST", "versions", server="rpc", version=None)
    error = {"code": -32601, "message": "method not found", "data": "getVersionInfo"}
    assert await call(http, "getVersionInfo") == error


async def test_an_rpc_without_ledgers_knows_its_version(
    http: aiohttp.ClientSession, sim: Sim
) -> None:
    await sim("POST", "faults", kind="starting", surface="rpc", times=1)
    assert (await call(http, "getVersionInfo"))["version"] == "30.0.0-headrace"
    assert (await call(http, "getNetwork"))["code"] == -32603
