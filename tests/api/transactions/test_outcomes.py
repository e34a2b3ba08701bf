"""What becomes of a transaction that was sent: it is in a ledger, or surely in none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.transactions.network import (
    ALICE,
    BOB,
    CREATE,
    Journal,
    ask,
    of_stream,
    prepared,
    settled,
    signed,
    submitted,
)
from tests.indexer.simulated import Sim
from tests.support.web_client import StartApi, WebClient

pytestmark = pytest.mark.io


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


async def test_a_cancellation_that_was_simulated_before_anything_accrued(
    api: WebClient, sim: Sim, journal: Journal
) -> None:
    await settled(api, sim, journal, await prepared(api, **CREATE), ALICE)
    cancel = await prepared(api, **of_stream("cancel", ALICE))
    failed = await settled(api, sim, journal, cancel, ALICE)
    assert failed["error"] == {
        "code": "INVOKE_HOST_FUNCTION_TRAPPED",
        "detail": "The call was stopped. It may need more than it declared, because the "
        "contract's state has changed. Prepare it again.",
    }
    again = await prepared(api, **of_stream("cancel", ALICE))
    assert (await settled(api, sim, journal, again, ALICE))["status"] == "succeeded"
