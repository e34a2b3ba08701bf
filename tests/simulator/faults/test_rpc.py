"""How RPC goes wrong on demand: a tip that is too old, and ranges that take too long."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from deploy.simulator.app import running
from deploy.simulator.network import Network
from deploy.simulator.rpc.rpc import duration
from deploy.simulator.settings import SimulatorSettings
from tests.simulator.samples import NOW, Sim, aged, rpc

pytestmark = pytest.mark.timeout(20)
LIMIT = {"code": -32001, "message": "request exceeded processing limit threshold"}


@pytest.fixture
def network() -> Network:
    return aged(12, streams=0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "[-32603] data stores are not initialized: DB is empty"),
        (45, "[-32603] latency (45s) since last known ledger closed is too high (>30s)"),
    ],
)
async def test_unhealthy_but_answering(
    http: aiohttp.ClientSession, sim: Sim, network: Network, seconds: int, text: str
) -> None:
    await sim("POST", "faults", kind="unhealthy", seconds=seconds, times=2)
    for _ in range(2):
        assert (await rpc(http, "getHealth"))["error"] == {"code": -32603, "message": text}
        found = await rpc(http, "getEvents", startLedger=network.chain.oldest.sequence)
        assert found["result"]["events"]
    assert (await rpc(http, "getHealth"))["result"]["status"] == "healthy"


@pytest.mark.io
@pytest.mark.parametrize(
    ("settings", "healthy"),
    [
        ({"close_seconds": 3600}, False),
        ({"close_seconds": 3600, "healthy_seconds": 0}, True),
        ({"close_seconds": 3600, "healthy_seconds": 10**9}, True),
        ({"close_seconds": 0}, True),
    ],
)
async def test_old_tip_is_unhealthy_by_the_clock(
    settings: dict[str, float], *, healthy: bool
) -> None:
    network = Network(SimulatorSettings(**settings), NOW)  # type: ignore[arg-type]  # floats alone
    async with running(network) as url, aiohttp.ClientSession(url) as http:
        answer = await rpc(http, "getHealth")
        assert ("result" in answer) is healthy
        if not healthy:
            assert answer["error"]["code"] == -32603
            assert answer["error"]["message"].endswith("is too high (>30s)")
        assert (await rpc(http, "getEvents", startLedger=3_700_000))["result"]["events"]


def test_durations_are_written_as_go_does() -> None:
    assert [duration(n) for n in (31.4, 60, 125, 7205)] == ["31s", "1m0s", "2m5s", "2h0m5s"]


async def test_processing_limit_is_met_by_smaller_spans(
    http: aiohttp.ClientSession, sim: Sim, network: Network
) -> None:
    start = network.chain.oldest.sequence
    await sim("POST", "faults", kind="processing_limit", after=4, times=100)
    assert (await rpc(http, "getEvents", startLedger=start))["error"] == LIMIT
    over = await rpc(http, "getEvents", startLedger=start, endLedger=start + 5)
    assert over["error"] == LIMIT
    within = (await rpc(http, "getEvents", startLedger=start, endLedger=start + 4))["result"]
    assert within["events"]
    by_cursor = {"cursor": within["cursor"]}
    assert (await rpc(http, "getEvents", pagination=by_cursor))["error"] == LIMIT
    await sim("DELETE", "faults")
    assert (await rpc(http, "getEvents", pagination=by_cursor))["result"]["events"]


async def test_processing_limit_comes_late(
    http: aiohttp.ClientSession, sim: Sim, network: Network
) -> None:
    start = network.chain.oldest.sequence
    await sim("POST", "faults", kind="processing_limit", seconds=60)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await rpc(http, "getEvents", startLedger=start)
    await sim("POST", "faults", kind="processing_limit", seconds=0.01)
    assert (await rpc(http, "getEvents", startLedger=start))["error"] == LIMIT
