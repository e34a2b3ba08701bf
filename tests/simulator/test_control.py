"""How the simulated network is run and steered: settings, process, and the control surface."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

import aiohttp
import pytest

from deploy.simulator.app import running
from deploy.simulator.chain import accounts
from deploy.simulator.horizon.transaction_stream import BYEBYE
from deploy.simulator.network import Network
from deploy.simulator.settings import SimulatorSettings, from_environment
from tests.simulator.samples import CREATE, NOW, Sim, aged, broken, stream
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(20)


@pytest.fixture
def network() -> Network:
    return aged(8, streams=0)


async def test_faults_are_listed_and_cleared(http: aiohttp.ClientSession, sim: Sim) -> None:
    await sim("POST", "faults", kind="error", surface="stream", times=3)
    await stream(http)
    armed = (await sim("GET", "faults"))["armed"]
    assert [(each["kind"], each["times"]) for each in armed] == [("error", 2)]
    await sim("DELETE", "faults")
    assert (await stream(http)).endswith(BYEBYE)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"kind": "flood"}),
        ("faults", {"kind": "drop", "times": -1}),
        ("faults", {"kind": "drop", "color": 1}),
        ("operations", {"operations": [{"op": "steal"}]}),
        ("operations", {"operations": 1}),
        ("operations", {"operations": [], "future": "flying cars"}),
        ("close", {"ledgers": "many"}),
        ("versions", {"server": "core", "version": "1"}),
        ("versions", {"server": "rpc", "protocol": "22"}),
        ("versions", {"server": "rpc", "color": "red"}),
    ],
)
async def test_invalid_control_requests_are_refused(
    http: aiohttp.ClientSession, path: str, body: dict[str, object]
) -> None:
    async with http.post(f"/sim/{path}", json=body) as response:
        assert response.status == 400
        assert (await response.json())["error"]


@pytest.mark.io
async def test_a_paused_clock_closes_no_ledger() -> None:
    network = Network(SimulatorSettings(streams=0, close_seconds=0.01), NOW)
    loop = asyncio.get_running_loop()
    async with running(network) as url, aiohttp.ClientSession(url) as session:
        began = loop.time()
        async with session.post("/sim/pause", json={"seconds": 1}) as response:
            tip = (await response.json())["ledger"]
        await until(lambda: network.chain.latest.sequence > tip)
        assert loop.time() >= began + 1


async def test_horizon_can_be_upgraded(http: aiohttp.ClientSession, sim: Sim) -> None:
    upgraded = {"version": "31.0.0-7e71", "core": "stellar-core 31.0.0 (ab)", "protocol": 31}
    await sim("POST", "versions", server="horizon", **upgraded)
    async with http.get("/") as response:
        root = await response.json()
    assert root["horizon_version"] == "31.0.0-7e71"
    assert root["core_version"] == "stellar-core 31.0.0 (ab)"
    assert root["current_protocol_version"] == root["supported_protocol_version"] == 31


async def test_operations_and_the_oracle(http: aiohttp.ClientSession, sim: Sim) -> None:
    names = (await sim("GET", "accounts"))["accounts"]
    await sim("POST", "operations", operations=[CREATE | {"duration": 100}], feeBump=True)
    waiting = await sim(
        "POST", "operations", operations=[{"op": "withdraw", "streamId": "1"}], meta=3
    )
    assert waiting == {"waiting": 2}
    tip = await sim("POST", "close", ledgers=1, now=NOW + 50)
    assert [each["successful"] for each in tip["transactions"]] == [True, False]
    await sim("POST", "operations", operations=[{"op": "withdraw", "streamId": "1"}])
    await sim("POST", "close", ledgers=2, now=NOW + 60, step=5)
    events = (await sim("GET", "events"))["events"]
    assert [each["name"] for each in events] == [
        "initialized",
        "fee_collected",
        "stream_created",
        "tokens_withdrawn",
    ]
    last = events[-1]
    assert last["streamId"] == "1"
    assert last["data"] == {
        "amount": "99500",
        "recipient": names["bob"],
        "stream_id": 1,
        "timestamp": NOW + 60,
    }
    later = await sim("GET", f"events?after={events[1]['id']}&contractId=*")
    ours = (accounts.STREAMS, accounts.TOKEN)
    assert [each["name"] for each in later["events"] if each["contractId"] in ours] == [
        "stream_created",
        "transfer",
        "tokens_withdrawn",
    ]
    state = await sim("GET", "streams")
    (only,) = state["streams"]
    assert (only["withdrawnAmount"], only["status"]) == ("99500", "Active")
    assert state["held"] == str(995_000 - 99_500)
    assert only["tokenAddress"] == accounts.TOKEN


@pytest.mark.io
@pytest.mark.timeout(60)
async def test_the_process() -> None:
    """`python -m deploy.simulator` tells its port and ends when told to."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "deploy.simulator",
        env=os.environ | {"PORT": "0", "CLOSE_SECONDS": "0.05"},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr
        port = json.loads(await process.stderr.readline())["port"]
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            assert (await stream(http, "cursor=now&limit=2")).endswith(BYEBYE)
            await http.post("/sim/faults", json={"kind": "cut", "surface": "stream", "after": 1})
            got = await broken(http)
            assert got.count(b"\nid: ") == 2  # also under uvloop, which the process runs on
            assert not got.endswith(b"\n\n")
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


def test_all_invalid_settings_are_reported_at_once() -> None:
    with pytest.raises(ValueError, match="PORT='x' is no int; CLOSE_SECONDS='y' is no float"):
        from_environment({"PORT": "x", "CLOSE_SECONDS": "y"})
    assert from_environment({"SEED": "42", "PORT": ""}) == SimulatorSettings(seed="42")
