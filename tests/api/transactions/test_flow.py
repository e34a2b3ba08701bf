"""Each action over HTTP: prepared, signed by a wallet, submitted, and followed to its ledger."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from redis.asyncio import Redis
from stellar_sdk import Keypair

from deploy.simulator.chain import accounts
from shared.journal.keys import Keys
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
from tests.indexer.simulated import journal as entries_of
from tests.support.web_client import WebClient

pytestmark = pytest.mark.io

ACTIONS: tuple[tuple[str, Keypair, dict[str, Any], str], ...] = (
    ("top_up", ALICE, {"amount": "5000"}, "stream.topped_up"),
    ("withdraw", BOB, {}, "stream.withdrawn"),
    ("pause", ALICE, {}, "stream.paused"),
    ("resume", ALICE, {}, "stream.resumed"),
    ("cancel", ALICE, {}, "stream.cancelled"),
)


async def test_each_action_ends_as_the_events_of_the_journal(
    api: WebClient, sim: Sim, journal: Journal, redis: Redis, keys: Keys
) -> None:
    created = await settled(api, sim, journal, await prepared(api, **CREATE), ALICE)
    assert created["events"][-1]["type"] == "stream.created"
    followed = [created]
    for action, signer, more, event_type in ACTIONS:
        sim.close()
        prepared_one = await prepared(api, **of_stream(action, signer), **more)
        done = await settled(api, sim, journal, prepared_one, signer)
        assert done["status"] == "succeeded", done
        assert [each["type"] for each in done["events"]][-1] == event_type
        followed.append(done)
    published = {each.position: each for each in await entries_of(redis, keys)}
    for done in followed:
        for event in done["events"]:
            in_journal = orjson.loads(published[event["id"]].body)
            assert event.items() <= in_journal.items()
            assert (event["txHash"], event["ledger"]) == (done["hash"], done["ledger"])


async def test_a_prepared_transaction_says_what_it_would_do(
    api: WebClient, sim: Sim, journal: Journal
) -> None:
    created = await prepared(api, **CREATE)
    assert (created["action"], created["requested"]) == ("create", "create")
    assert (created["contract"], created["function"]) == (accounts.STREAMS, "create_stream")
    assert created["arguments"] == {
        "sender": ALICE.public_key,
        "recipient": BOB.public_key,
        "tokenAddress": accounts.TOKEN,
        "amount": "1000000",
        "duration": 1000,
    }
    assert created["returns"] == {"streamId": "1"}
    fee, created_event = created["events"]
    assert (fee["type"], fee["feeAmount"]) == ("stream.fee_collected", "5000")
    assert created_event["depositedAmount"] == created["stream"]["depositedAmount"] == "995000"
    assert not {"id", "position", "ledger", "txHash"} & created_event.keys()
    await settled(api, sim, journal, created, ALICE)
    sim.close()
    withdrawn = await prepared(api, **of_stream("withdraw", BOB))
    assert withdrawn["returns"] == {"amount": "4975"}
    assert withdrawn["stream"]["withdrawnAmount"] == "4975"
    assert withdrawn["events"][0]["amount"] == "4975"
    paused = await prepared(api, **of_stream("pause", ALICE))
    assert (paused["returns"], paused["stream"]["status"]) == (None, "paused")


async def test_fee_and_time_are_in_the_answer_and_in_the_ledger(
    api: WebClient, sim: Sim, journal: Journal
) -> None:
    created = await prepared(api, **CREATE)
    closed = sim.network.chain.latest.closed_at
    assert created["timeBounds"] == {"minTime": 0, "maxTime": closed + 300}
    fee = {name: int(amount) for name, amount in created["fee"].items()}
    assert fee["inclusion"] == 100
    assert fee["total"] == fee["inclusion"] + fee["resource"]
    envelope = signed(created, ALICE)
    answer = await submitted(api, envelope)
    assert answer["status"] == "pending"
    assert answer == await ask(api, f"/{created['hash']}")
    assert answer["expiresAt"] == closed + 300
    sim.close()
    done = await ask(api, f"/{created['hash']}")
    assert (done["status"], done["error"]) == ("succeeded", None)
    assert (done["ledger"], done["closedAt"]) == (
        sim.network.chain.latest.sequence,
        sim.network.chain.latest.closed_at,
    )
    assert 100 < int(done["fee"]) <= fee["total"]
