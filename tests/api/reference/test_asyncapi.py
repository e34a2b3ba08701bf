"""AsyncAPI: every published event matches its model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from redis.asyncio import Redis

from deploy.simulator.chain import accounts
from deploy.simulator.chain.operations import Operation, Proposal
from deploy.simulator.contracts import announced
from deploy.simulator.settings import SimulatorSettings
from services.api.app import STREAM_NOTICES
from services.api.reference.asyncapi import asyncapi, key
from services.fanout import sse
from services.indexer.ingest.gap import gap_event
from services.indexer.sources.base import SourceGapError
from shared.chain.decode.contracts import WatchedContracts
from shared.domain.events import Event, EventType
from shared.domain.position import START, toid
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.reader import Journal, JournalPage
from shared.web.problems import Goodbye
from tests.api.samples import T0, Clock, made
from tests.indexer.simulated import Read, simulated
from tests.shared.samples import TYPE, at, chain, created, webhook_disabled
from tests.support.web_client import WebClient

DOCUMENT = asyncapi()


def mistakes(name: str, data: object) -> list[str]:
    payload = DOCUMENT["components"]["messages"][key(name)]["payload"]
    validator = Draft202012Validator(payload | {"components": DOCUMENT["components"]})
    return [f"{name} {error.json_path}: {error.message}" for error in validator.iter_errors(data)]


async def judged(redis: Redis, keys: Keys) -> set[str]:
    """The event types in the journal. Checks that each event matches the document."""
    page = await Journal(redis, keys).after(START, 10_000)
    assert isinstance(page, JournalPage)
    for entry in page.entries:
        assert mistakes(entry.type, orjson.loads(entry.body)) == []
    return {entry.type for entry in page.entries}


def test_the_document_lists_every_event_type_and_no_others() -> None:
    assert DOCUMENT["asyncapi"].startswith("3.0")
    messages = DOCUMENT["components"]["messages"]
    assert {key(kind) for kind in EventType} <= set(messages)
    assert set(DOCUMENT["channels"]["events"]["messages"]) == set(messages)
    for message in messages.values():
        Draft202012Validator.check_schema(message["payload"])
        assert message["summary"]


async def test_events_of_the_api_match_their_models(
    client: WebClient, redis: Redis, keys: Keys, clock: Clock
) -> None:
    stream = await made(client, metadata={"label": "Rent"}, depositedAmount="2500000")
    url = f"/v1/streams/{stream['id']}"
    for step in ("pause", "resume"):
        await client.post(f"{url}/{step}")
    await client.patch(url, json={"metadata": {"note": "\u2028"}})
    clock.now = T0 + 1000
    await client.post(f"{url}/withdraw")
    await client.post(f"{url}/top-up", json={"amount": "5"})
    clock.now = T0 + 250_001
    assert await client.app[STREAM_NOTICES].publish_due() == 3
    await client.post(f"{url}/withdraw")
    await client.delete(f"/v1/streams/{(await made(client))['id']}")
    assert await judged(redis, keys) == {
        f"stream.{kind}"
        for kind in (
            "created", "paused", "resumed", "updated", "withdrawn", "topped_up", "completed",
            "cancelled", "running_low", "depleted",
        )
    }  # fmt: skip


async def test_events_of_the_chain_match_their_models(redis: Redis, keys: Keys) -> None:
    """Ledgers of the simulated network, decoded and committed."""
    async with simulated(150) as sim:
        sim.network.submit(Proposal(operations=(Operation(op="emit"),)))
        sim.close()
        read = await Read(toid(SimulatorSettings().start_ledger)).up_to(sim.tip, sim.horizon())
        assert len(read.positions) > 100
    committer = Committer(redis, keys)
    for batch in read.batches:
        await committer.record(batch.events, progress={"cursor": str(batch.cursor)})
    types = await judged(redis, keys)
    assert {
        f"stream.{kind}"
        for kind in (
            "created", "paused", "resumed", "withdrawn", "topped_up", "completed", "cancelled",
            "fee_collected",
        )
    } <= types  # fmt: skip
    assert "contract.initialized" in types


async def events_of(calls: Sequence[Operation], watched: WatchedContracts) -> list[Event]:
    """The events that the indexer reads from a ledger with these calls of contracts."""
    async with simulated(1, streams=0) as sim:
        sim.network.submit(*(Proposal(operations=(each,)) for each in calls))
        sim.close()
        start = toid(SimulatorSettings().start_ledger)
        read = await Read(start).up_to(sim.tip, sim.horizon(contracts=watched))
    return [event for batch in read.batches for event in batch.events]


async def test_events_of_tokens_match_their_models(redis: Redis, keys: Keys) -> None:
    watched = WatchedContracts.of(accounts.STREAMS, f"{accounts.TOKEN}:token")
    contract_calls = [
        Operation(op="token", name=name, form=form, muxed=muxed, amount=5)
        for name in ("transfer", "mint", "burn", "clawback", "approve")
        for form in ("asset", "old", "plain")
        for muxed in ("", "7", "rent")
    ]
    events = await events_of(contract_calls, watched)
    await Committer(redis, keys).record(events, progress={})
    assert await judged(redis, keys) == {
        *(f"token.{kind}" for kind in ("transfer", "mint", "burn", "clawback")),
        "chain.unknown", "contract.initialized",
    }  # fmt: skip
    assert len(events) == len(contract_calls) + 1
    transfer = {"type": "token.transfer", "from": "G", "to": "G", "amount": "5"}
    for name in ("from", "to", "amount", "tokenAddress"):
        errors = mistakes("token.transfer", {k: v for k, v in transfer.items() if k != name})
        assert any(f"'{name}' is a required property" in mistake for mistake in errors)


async def test_a_gap_matches_its_model(redis: Redis, keys: Keys) -> None:
    gap = gap_event(SourceGapError("RPC", toid(5, 1), 9), T0)
    await Committer(redis, keys).record([gap], progress={})
    assert await judged(redis, keys) == {"chain.gap"}


async def test_a_disabled_webhook_matches_its_model(redis: Redis, keys: Keys) -> None:
    await Committer(redis, keys).change([], lambda _: [webhook_disabled("GA")])
    assert await judged(redis, keys) == {"webhook.disabled"}


async def test_events_of_the_next_contract_version_match_their_models(
    redis: Redis, keys: Keys
) -> None:
    events = [
        created("1", at(5)),
        chain(TYPE.STREAM_RATE_MODIFIED, "1", at(6), newRatePerSecond="7", newEndTime=300),
        chain(TYPE.STREAM_RECIPIENT_TRANSFERRED, "1", at(7), newRecipient="GB", settledAmount="5"),
        chain(TYPE.CHAIN_UNKNOWN, "1", at(8), name="x", topicsXdr=["AA=="], valueXdr="AA=="),
        chain(TYPE.CHAIN_UNKNOWN, None, at(9), name="", topicsXdr=[], valueXdr=""),
        chain(TYPE.CONTRACT_ADMIN_TRANSFERRED, None, at(10), newAdmin="G", previousAdmin="G"),
        chain(TYPE.CONTRACT_FEE_CONFIG_UPDATED, None, at(11), newFeeRateBps=5),
        chain(TYPE.STREAM_PAUSED, "9", at(12), pausedAt=5),
    ]
    await Committer(redis, keys).record(events, progress={})
    assert len(await judged(redis, keys)) == 7


async def test_announced_events_match_their_models(redis: Redis, keys: Keys) -> None:
    watched = WatchedContracts.of(accounts.STREAMS)
    calls = [Operation(op="emit", name=name, stream_id="7") for name in announced.NAMES]
    events = await events_of(calls, watched)
    await Committer(redis, keys).record(events, progress={})
    kinds = await judged(redis, keys)
    assert kinds >= {"stream.created", "stream.milestone_unlocked", "stream.closed"}
    assert kinds >= {"contract.pause_changed", "contract.upgraded", "contract.state_migrated"}
    assert "chain.unknown" not in kinds


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        ("connected", sse.connected("c1", ["1"], START, 1500)),
        ("sync", sse.sync(START, None, None, None)),
        ("sync", sse.sync(at(7), 7, 1_784_656_870, 2.13)),
        ("gap", sse.gap(START, at(7))),
        ("reset", sse.reset(START, "new network")),
        ("overload", sse.overload("full", 1500)),
        ("token_expiring", sse.token_expiring(1_770_000_000.5)),
        ("goodbye", sse.goodbye(Goodbye.DRAINING, 1500)),
    ],
)
def test_frames_of_the_fanout_match_their_models(name: str, frame: bytes) -> None:
    (line,) = [line for line in frame.split(b"\n") if line.startswith(b"data: ")]
    assert mistakes(name, orjson.loads(line.removeprefix(b"data: "))) == []


@pytest.mark.parametrize(
    "change",
    [
        {"type": "stream.paused"}, {"secondsLeft": 5}, {"endsAt": "x"}, {"id": "7"},
        {"origin": "moon"}, {"origin": "chain"}, {"txHash": "ab" * 32}, {"streamId": None},
    ],
)  # fmt: skip
def test_the_models_reject_invalid_events(change: dict[str, Any]) -> None:
    event = {
        "id": "5-1", "publishedAt": 1, "type": "stream.running_low", "streamId": "7",
        "timestamp": 5, "origin": "api", "endsAt": 9, "secondsLeft": 172_800,
    }  # fmt: skip
    assert mistakes("stream.running_low", event) == []
    assert mistakes("stream.running_low", event | change)
