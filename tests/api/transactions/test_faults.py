"""Faults of RPC and of the network: each has its sentence, and nothing is sent twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.api.transactions.gate import Gate
from tests.api.transactions.network import (
    ALICE,
    CREATE,
    Journal,
    ask,
    prepared,
    refused,
    signed,
    submitted,
)
from tests.indexer.simulated import Sim
from tests.support.web_client import StartApi, WebClient

pytestmark = pytest.mark.io


def sequence(sim: Sim) -> int:
    """The number of Alice's last transaction."""
    return sim.network.submissions.state.holdings.sequence(ALICE.public_key)


async def test_rpc_is_away_while_a_transaction_is_prepared(api: WebClient, sim: Sim) -> None:
    for method in ("getNetwork", "getFeeStats", "simulateTransaction"):
        await sim.arm("503", method)
        async with api.post("/v1/transactions", json=CREATE) as response:
            problem = await response.json()
            assert (response.status, response.headers["Retry-After"]) == (503, "2")
        assert problem["detail"] == (
            "Stellar RPC cannot answer now (status_503). This request has sent nothing."
        )
    await prepared(api, **CREATE)


async def test_rpc_belongs_to_another_network(api: WebClient, sim: Sim) -> None:
    await sim.arm("passphrase", "getNetwork")
    problem = await refused(api, 503, **CREATE)
    assert problem["detail"].startswith("RPC_URL is wrong: ")


async def test_rpc_goes_away_before_the_transaction_is_sent(
    start: StartApi, settings: dict[str, Any], sim: Sim, gate: Gate
) -> None:
    api = await start(**settings | {"rpc_url": gate.url})
    document = await prepared(api, **CREATE)
    envelope, before = signed(document, ALICE), sequence(sim)
    gate.last = "getTransaction"
    problem = await submitted(api, envelope, 503)
    assert problem["detail"] == (
        "Stellar RPC cannot be reached. The transaction was not sent now; submit it again."
    )
    sim.close()
    assert sequence(sim) == before
    again = await start(**settings)
    await ask(again, f"/{document['hash']}", 404)
    await submitted(again, envelope)
    sim.close()
    assert (await ask(again, f"/{document['hash']}"))["status"] == "succeeded"


async def test_an_answer_that_is_lost_leaves_the_outcome_open(
    api: WebClient, sim: Sim, journal: Journal
) -> None:
    document = await prepared(api, **CREATE)
    envelope, before = signed(document, ALICE), sequence(sim)
    await sim.arm("drop", "sendTransaction")
    assert (await submitted(api, envelope))["status"] == "pending"
    assert (await submitted(api, envelope))["status"] == "pending"
    sim.close()
    assert (await submitted(api, envelope))["status"] == "succeeded"
    sim.close()
    assert sequence(sim) == before + 1
    assert (await ask(api, f"/{document['hash']}"))["status"] == "succeeded"


async def test_a_refusal_after_a_lost_answer_is_not_believed(api: WebClient, sim: Sim) -> None:
    document = await prepared(api, **CREATE)
    envelope = signed(document, ALICE)
    await sim.arm("drop", "sendTransaction")
    await submitted(api, envelope)
    await sim.arm("try_again_later", "sendTransaction")
    assert (await submitted(api, envelope))["status"] == "pending"
    sim.close()
    assert (await ask(api, f"/{document['hash']}"))["status"] == "succeeded"


async def test_two_replicas_send_a_hash_once(
    start: StartApi, settings: dict[str, Any], sim: Sim, gate: Gate
) -> None:
    replicas = [await start(**settings | {"rpc_url": gate.url}) for _ in range(2)]
    document = await prepared(replicas[0], **CREATE)
    envelope, before = signed(document, ALICE), sequence(sim)
    answers = await asyncio.gather(*(submitted(each, envelope) for each in replicas * 4))
    assert {each["status"] for each in answers} == {"pending"}
    assert {each["hash"] for each in answers} == {document["hash"]}
    assert gate.calls["sendTransaction"] == 1
    sim.close()
    assert sequence(sim) == before + 1
    for each in replicas:
        assert (await submitted(each, envelope))["status"] == "succeeded"
    assert gate.calls["sendTransaction"] == 1


async def test_the_network_is_busy(api: WebClient, sim: Sim) -> None:
    document = await prepared(api, **CREATE)
    envelope = signed(document, ALICE)
    await sim.arm("try_again_later", "sendTransaction")
    async with api.post("/v1/transactions/submit", json={"xdr": envelope}) as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "5")
        assert "was not sent" in (await response.json())["detail"]
    await ask(api, f"/{document['hash']}", 404)
    await submitted(api, envelope)
    sim.close()
    assert (await ask(api, f"/{document['hash']}"))["status"] == "succeeded"


async def test_a_wallet_that_has_sent_the_transaction_itself_is_not_told_to_prepare_it_again(
    api: WebClient, sim: Sim
) -> None:
    document = await prepared(api, **CREATE)
    envelope = signed(document, ALICE)
    call = {"jsonrpc": "2.0", "id": 1, "method": "sendTransaction"}
    async with sim.session.post(
        f"{sim.url}/rpc", json=call | {"params": {"transaction": envelope}}
    ) as response:
        assert (await response.json())["result"]["status"] == "PENDING"
    sim.close(12)
    await sim.arm("lag", "rpc", after=12)  # the network has forgotten the hash, RPC lacks it yet
    assert (await submitted(api, envelope))["status"] == "pending"
    async with sim.session.delete(f"{sim.url}/sim/faults"):
        pass
    assert (await ask(api, f"/{document['hash']}"))["status"] == "succeeded"
