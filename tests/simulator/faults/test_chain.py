"""How the chain itself goes wrong on demand: metas missing or false, history lost, a reset."""

from __future__ import annotations

import base64
from hashlib import sha256

import aiohttp
import pytest
from stellar_sdk import xdr

from deploy.simulator.faults.faults import Faults, read_fault
from deploy.simulator.faults.metas import corrupt
from deploy.simulator.horizon.transaction_stream import BYEBYE
from deploy.simulator.network import Network
from tests.simulator.samples import CREATE, NOW, Sim, aged, rpc, stream

pytestmark = pytest.mark.timeout(20)


@pytest.fixture
def network() -> Network:
    return aged(8, streams=0)


async def test_meta_left_out(network: Network, http: aiohttp.ClientSession, sim: Sim) -> None:
    await sim("POST", "operations", operations=[CREATE | {"duration": 10}])
    made = (await sim("POST", "close", now=NOW + 100))["transactions"][0]["hash"]
    cursor = f"cursor={(network.chain.latest.sequence << 32)}&limit=1"
    await sim("POST", "faults", kind="no_meta", times=3)
    assert b"result_meta_xdr" not in await stream(http, cursor)
    async with http.get(f"/transactions?{cursor}") as response:
        assert b"result_meta_xdr" not in await response.read()
    shown = (await rpc(http, "getTransaction", hash=made))["result"]
    assert "resultMetaXdr" not in shown
    assert len(shown["events"]["contractEventsXdr"][0]) == 4
    assert b"result_meta_xdr" in await stream(http, cursor)


async def test_corrupt_meta_reads_but_does_not_hash(network: Network) -> None:
    faults = Faults()
    faults.arm(read_fault({"kind": "corrupt_meta"}))
    transaction = network.chain.oldest.transactions[0]
    bad = faults.distort("stream", transaction)
    assert bad == corrupt(transaction) != transaction
    assert faults.distort("stream", transaction) is transaction
    meta = xdr.TransactionMeta.from_xdr(bad.meta or "").v4
    assert meta and meta.soroban_meta and meta.soroban_meta.return_value  # noqa: PT018
    events = meta.operations[0].events
    assert [e.to_xdr() for e in events] == [e.xdr for _, e in bad.events()]
    image = xdr.InvokeHostFunctionSuccessPreImage(meta.soroban_meta.return_value, events)
    digest = sha256(image.to_xdr_bytes()).digest()
    assert digest not in base64.b64decode(bad.result)


async def test_history_trimmed(network: Network, http: aiohttp.ClientSession, sim: Sim) -> None:
    await sim("POST", "faults", kind="trim", after=2)
    tip = network.chain.latest.sequence
    async with http.get("/") as response:
        root = await response.json()
    assert root["history_elder_ledger"] == tip - 1
    assert (await rpc(http, "getEvents", startLedger=tip - 2))["error"]["code"] == -32600


async def test_reset(http: aiohttp.ClientSession, sim: Sim) -> None:
    before = await sim("GET", "accounts")
    await sim("POST", "faults", kind="reset")
    async with http.get("/") as response:
        root = await response.json()
    assert root["history_latest_ledger"] == 2
    assert root["network_passphrase"] == before["networkPassphrase"]
    assert [each["ledger"] for each in (await sim("GET", "events"))["events"]] == [2]


async def test_wrong_passphrase(http: aiohttp.ClientSession, sim: Sim) -> None:
    right = (await sim("GET", "accounts"))["networkPassphrase"]
    await sim("POST", "faults", kind="passphrase", times=2)
    assert (await stream(http)).endswith(BYEBYE)  # which spends none of the two
    async with http.get("/") as response:
        assert (await response.json())["network_passphrase"] != right
    assert (await rpc(http, "getNetwork"))["result"]["passphrase"] != right
    assert (await rpc(http, "getNetwork"))["result"]["passphrase"] == right
