"""Faults of RPC and of the network: each has its sentence, and nothing is sent twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.api.transactions.gate import Gate
from tests.api.transactions.network import (
    ALICE,
    BOB,
    CREATE,
    Journal,
    ask,
    of_stream,
    prepared,
    refused,
    settled,
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


async def test_a_lost_transaction_expires_for_certain(api: WebClient, sim: Sim) -> None:
    document = await prepared(api, **CREATE)
    await sim.arm("discarded", "sendTransaction")
    await submitted(api, signed(document, ALICE))
    sim.close(60)
    answer = await ask(api, f"/{document['hash']}")
    assert sim.network.chain.latest.closed_at == answer["expiresAt"]
    assert answer["status"] == "pending"
    sim.close()
    answer = await ask(api, f"/{document['hash']}")
    assert (answer["status"], answer["ledger"], answer["events"]) == ("expired", None, [])


async def test_without_the_whole_history_nothing_is_said_to_be_expired(
    api: WebClient, sim: Sim
) -> None:
    document = await prepared(api, **CREATE)
    await sim.arm("discarded", "sendTransaction")
    await submitted(api, signed(document, ALICE))
    sim.close(61)
    await sim.arm("trim", "rpc", after=5)
    assert (await ask(api, f"/{document['hash']}"))["status"] == "pending"


async def test_another_transaction_takes_the_sequence_number(api: WebClient, sim: Sim) -> None:
    first, second = (
        await prepared(api, **CREATE),
        await prepared(api, **CREATE | {"amount": "7000"}),
    )
    assert first["sequence"] == second["sequence"]
    await submitted(api, signed(first, ALICE))
    sim.close()
    problem = await submitted(api, signed(second, ALICE), 422)
    assert (problem["code"], problem["detail"]) == (
        "txBAD_SEQ",
        "Another transaction has used the sequence number. Prepare it again.",
    )
    third = await prepared(api, **CREATE)
    await sim.arm("overtaken", "sendTransaction")
    await submitted(api, signed(third, ALICE))
    sim.close(61)
    assert (await ask(api, f"/{third['hash']}"))["status"] == "expired"


async def test_a_transaction_that_was_signed_too_late(api: WebClient, sim: Sim) -> None:
    document = await prepared(api, **CREATE)
    sim.close(61)
    problem = await submitted(api, signed(document, ALICE), 422)
    assert problem["code"] == "txTOO_LATE"
    await ask(api, f"/{document['hash']}", 404)


async def test_the_contract_refuses_in_the_ledger(
    api: WebClient, sim: Sim, journal: Journal
) -> None:
    await settled(api, sim, journal, await prepared(api, **CREATE), ALICE)
    sim.close()
    withdrawal = await prepared(api, **of_stream("withdraw", BOB))
    await settled(api, sim, journal, await prepared(api, **of_stream("pause", ALICE)), ALICE)
    failed = await settled(api, sim, journal, withdrawal, BOB)
    assert (failed["status"], failed["events"]) == ("failed", [])
    assert failed["ledger"] == sim.network.chain.latest.sequence
    assert int(failed["fee"]) > 0
    assert failed["error"] == {
        "code": "StreamPaused",
        "detail": "The stream is paused. Its sender must resume it first.",
    }


async def test_the_fee_is_too_low_in_a_surge(
    start: StartApi, settings: dict[str, Any], sim: Sim
) -> None:
    api = await start(**settings, max_inclusion_fee=6000)
    await submitted(api, signed(await prepared(api, **CREATE), ALICE))
    sim.close()
    document = await prepared(api, **CREATE)
    await sim.arm("fee_surge", "rpc", fee=5000)
    problem = await submitted(api, signed(document, ALICE), 422)
    assert problem["code"] == "txINSUFFICIENT_FEE"
    higher = await prepared(api, **CREATE)
    assert higher["fee"]["inclusion"] == "5000"
    await sim.arm("fee_surge", "rpc", fee=7000)
    assert (await prepared(api, **CREATE))["fee"]["inclusion"] == "6000"


async def test_archived_entries_are_restored_first(
    api: WebClient, sim: Sim, journal: Journal
) -> None:
    await settled(api, sim, journal, await prepared(api, **CREATE), ALICE)
    await sim.upgrade("rpc", protocol=22)
    await sim.arm("archived", "rpc", streamId="1")
    restoring = await prepared(api, **of_stream("pause", ALICE))
    assert (restoring["action"], restoring["requested"]) == ("restore", "pause")
    assert (restoring["function"], restoring["arguments"]) == (None, {})
    assert (restoring["returns"], restoring["events"], restoring["stream"]) == (None, [], None)
    await ask(api, f"/{restoring['hash']}", 404)
    done = await settled(api, sim, journal, restoring, ALICE)
    assert (done["status"], done["events"]) == ("succeeded", [])
    paused = await settled(
        api, sim, journal, await prepared(api, **of_stream("pause", ALICE)), ALICE
    )
    assert paused["events"][0]["type"] == "stream.paused"


async def test_since_protocol_23_a_call_restores_archived_entries_itself(
    api: WebClient, sim: Sim, journal: Journal
) -> None:
    await settled(api, sim, journal, await prepared(api, **CREATE), ALICE)
    await sim.arm("archived", "rpc", streamId="1")
    document = await prepared(api, **of_stream("pause", ALICE))
    assert document["action"] == "pause"
    assert (await settled(api, sim, journal, document, ALICE))["status"] == "succeeded"


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
