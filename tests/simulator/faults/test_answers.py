"""How answers of Horizon and RPC go wrong on demand: refused, late, slow or broken on the way."""

from __future__ import annotations

import json

import aiohttp
import pytest

from deploy.simulator.faults.faults import AT_ONCE, OF_CONTENT, OF_ONE_SURFACE, FaultKind, kinds_for
from deploy.simulator.horizon.transaction_stream import BYEBYE
from deploy.simulator.network import Network
from tests.simulator.samples import SSE, Sim, aged, rpc, stream

pytestmark = pytest.mark.timeout(20)


@pytest.fixture
def network() -> Network:
    return aged(8, streams=0)


@pytest.mark.parametrize("kind", ["429", "503"])
async def test_refusals(http: aiohttp.ClientSession, sim: Sim, kind: str) -> None:
    for headers in (SSE, {}):
        await sim("POST", "faults", kind=kind, retryAfter=3)
        async with http.get("/transactions?limit=1", headers=headers) as response:
            assert response.status == int(kind)
            assert response.headers["Retry-After"] == "3"
            assert response.content_type == "application/problem+json"
    date = "Sat, 28 Nov 2026 10:00:00 GMT"
    await sim("POST", "faults", kind=kind, retryAfter=date)
    async with http.get("/") as response:
        assert response.headers["Retry-After"] == date
    await sim("POST", "faults", kind=kind, surface="rpc", times=2)
    async with http.get("/") as response:
        assert response.status == 200
    for _ in range(2):
        async with http.post("/rpc", json={"method": "getHealth"}) as response:
            assert response.status == int(kind)
            assert "Retry-After" not in response.headers


async def test_timeout_has_no_body(http: aiohttp.ClientSession, sim: Sim) -> None:
    await sim("POST", "faults", kind="504")
    async with http.get("/transactions", headers=SSE) as response:
        assert response.status == 504
        assert await response.read() == b""


@pytest.mark.parametrize(("path", "headers"), [("/transactions", SSE), ("/", {})])
async def test_hang(
    http: aiohttp.ClientSession, sim: Sim, path: str, headers: dict[str, str]
) -> None:
    await sim("POST", "faults", kind="hang")
    with pytest.raises(TimeoutError):
        await http.get(path, headers=headers, timeout=aiohttp.ClientTimeout(0.1))
    await sim("POST", "faults", kind="hang", seconds=0.01)
    async with http.get(path, headers=headers) as response:
        assert response.status == 200


async def test_slow_drip(http: aiohttp.ClientSession, sim: Sim) -> None:
    await sim("POST", "faults", kind="slow", times=2, seconds=0.0001)
    assert (await stream(http, "limit=1")).endswith(BYEBYE)
    async with http.get("/") as response:
        assert (await response.json())["history_latest_ledger"] > 0


async def test_answers_broken_on_the_way(http: aiohttp.ClientSession, sim: Sim) -> None:
    await sim("POST", "faults", kind="drop", surface="root", times=2)  # aiohttp tries a GET twice
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await http.get("/")
    await sim("POST", "faults", kind="cut", surface="root")
    async with http.get("/") as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    await sim("POST", "faults", kind="malformed", surface="getHealth")
    assert (await rpc(http, "getNetwork"))["result"]
    with pytest.raises(json.JSONDecodeError):
        await rpc(http, "getHealth")
    await sim("POST", "faults", kind="error", surface="getEvents")
    assert (await rpc(http, "getEvents"))["error"]["code"] == -32001


def test_every_fault_of_an_exchange_strikes_somewhere() -> None:
    somewhere = {
        k for s in ("stream", "root", "page", "getEvents", "getNetwork") for k in kinds_for(s)
    }
    assert somewhere | OF_CONTENT | AT_ONCE | OF_ONE_SURFACE.keys() == set(FaultKind)
