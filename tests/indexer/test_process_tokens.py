"""The indexer as a process, with token contracts beside the stream contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from deploy.simulator.chain import accounts
from deploy.simulator.chain.operations import Operation, Proposal
from shared.journal.keys import Keys
from shared.journal.wire import JournalEntry
from tests.indexer.handmade import ALICE, BOB
from tests.indexer.installed import Site
from tests.indexer.simulated import journal, simulated
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(60)
ADMIN = accounts.address("admin")
ASSET = f"USDC:{ADMIN}"


@pytest.fixture
async def site(redis: Redis, redis_url: str, keys: Keys) -> AsyncIterator[Site]:
    async with simulated(ledgers=1, streams=0) as sim:
        yield Site(sim, redis, redis_url, keys)


def call(site: Site, *operations: Mapping[str, Any], meta: int = 4, **more: Any) -> None:
    wanted = tuple(Operation(**each) for each in operations)
    site.sim.network.submit(Proposal(operations=wanted, meta=meta, **more))
    site.sim.close()


async def watched(site: Site, *tokens: str, source: str = "horizon") -> list[JournalEntry]:
    """The journal, when a process that watches these tokens has read everything."""
    named = [accounts.STREAMS, *(f"{token}:token" for token in tokens)]
    given = {"CONTRACTS": ",".join(named), "SOURCE": source, "RPC_POLL_SECONDS": 0.05}
    async with site.indexer(**given) as process:
        await until(lambda: _is_read(site), seconds=45, what="all of the chain")
        await site.until_ready(process)
        assert await site.metric(process, "headrace_indexer_dead_letters_total") == 0
    return await journal(site.redis, site.keys)


async def _is_read(site: Site) -> bool:
    return await site.cursor() >= site.sim.tip  # RPC is read up to the end of the ledger


def users(*parties: str) -> tuple[str, ...]:
    return tuple(f"user:{party}" for party in parties)


FORMS: list[tuple[dict[str, str], int, tuple[str, ...], dict[str, str]]] = [
    ({"name": "transfer"}, 4, users(ALICE, BOB), {"from": ALICE, "to": BOB, "asset": ASSET}),
    (
        {"name": "transfer", "muxed": "77"},
        4,
        users(ALICE, BOB),
        {"from": ALICE, "to": BOB, "asset": ASSET, "toMuxedId": "77"},
    ),
    ({"name": "mint"}, 4, users(BOB), {"to": BOB, "asset": ASSET}),
    ({"name": "burn"}, 4, users(ALICE), {"from": ALICE, "asset": ASSET}),
    ({"name": "clawback"}, 4, users(ALICE), {"from": ALICE, "asset": ASSET}),
    (
        {"name": "mint", "form": "old"},
        3,
        users(BOB),
        {"admin": ADMIN, "to": BOB, "asset": ASSET},
    ),
    (
        {"name": "clawback", "form": "old"},
        3,
        users(ALICE),
        {"admin": ADMIN, "from": ALICE, "asset": ASSET},
    ),
    ({"name": "transfer", "form": "plain"}, 3, users(ALICE, BOB), {"from": ALICE, "to": BOB}),
    ({"name": "mint", "form": "plain"}, 4, users(BOB), {"to": BOB}),
]


both_sources = pytest.mark.parametrize("source", ["horizon", "rpc"])


@both_sources
async def test_events_of_a_token_in_every_form_are_committed(site: Site, source: str) -> None:
    for form, meta, _, _ in FORMS:
        call(site, {"op": "token", "amount": 5} | form, meta=meta)
    _, *entries = await watched(site, accounts.TOKEN, source=source)
    assert [entry.position for entry in entries] == site.sim.positions(contract=accounts.TOKEN)
    for entry, (form, _, topics, facts) in zip(entries, FORMS, strict=True):
        body = orjson.loads(entry.body)
        assert (entry.type, entry.topics) == (f"token.{form['name']}", topics)
        assert facts.items() <= body.items()
        assert {"asset", "admin", "toMuxedId"} & set(body) == {"asset", "admin", "toMuxedId"} & set(
            facts
        )
        assert (body["amount"], body["streamId"], body["verified"]) == ("5", None, True)
        assert body["contractId"] == body["tokenAddress"] == accounts.TOKEN
        assert "stream" not in body


@both_sources
async def test_events_of_both_contracts_in_one_transaction_keep_their_order(
    site: Site, source: str
) -> None:
    create = {"op": "create", "amount": 10**6, "duration": 1000}
    call(site, create, {"op": "token", "name": "burn", "amount": 1}, create, fee_bump=True)
    call(site, {"op": "emit"})
    call(site, {"op": "token", "name": "approve", "amount": 1})
    _, *entries = await watched(site, accounts.TOKEN, source=source)
    both = (accounts.STREAMS, accounts.TOKEN)
    expected = [e for e in site.sim.network.events if e.event.contract_id in both][1:]
    assert [entry.position for entry in entries] == [str(e.position) for e in expected]
    create_events = ["token.transfer", "token.transfer", "stream.fee_collected", "stream.created"]
    assert [entry.type for entry in entries] == [
        *create_events,
        "token.burn",
        *create_events,
        "chain.unknown",
        "chain.unknown",
    ]
    assert entries[-2].topics == (), "the stream contract's is for everyone"
    assert entries[-1].topics == users(accounts.TOKEN)
    fee = next(entry for entry in entries if entry.type == "stream.fee_collected")
    assert fee.topics == ("1", *users(ALICE, BOB))


@both_sources
async def test_payments_of_lumens_are_committed_without_a_proof(site: Site, source: str) -> None:
    site.sim.network.submit(Proposal(memo="rent"), Proposal(memo=None))
    site.sim.close()
    paid = site.sim.network.chain.latest.transactions
    lumens = paid[0].signed.native
    _, *entries = await watched(site, lumens, source=source)
    assert [entry.position for entry in entries] == site.sim.positions(contract=lumens)
    bodies = [orjson.loads(entry.body) for entry in entries[-2:]]
    assert [(b["txHash"], b.get("toMuxedId"), b["amount"]) for b in bodies] == [
        (paid[0].hash, "rent", "15000000"),
        (paid[1].hash, None, "25000000"),
    ]
    for entry, body in zip(entries[-2:], bodies, strict=True):
        assert (body["type"], body["asset"], body["verified"]) == ("token.transfer", "native", None)
        assert entry.topics == users(body["from"], body["to"])


async def test_payments_without_metas_in_horizon_come_from_rpc(site: Site) -> None:
    site.sim.close(3)
    lumens = site.sim.network.chain.latest.transactions[0].signed.native
    await site.sim.arm("no_meta", times=1000)
    _, *entries = await watched(site, lumens)
    assert len(entries) >= 3
    assert [entry.position for entry in entries] == site.sim.positions(contract=lumens)


async def test_events_of_an_unwatched_token_are_not_committed(site: Site) -> None:
    call(site, {"op": "token", "name": "mint", "amount": 5})
    call(site, {"op": "create", "amount": 10**6, "duration": 1000})
    entries = await watched(site)
    assert {entry.type for entry in entries} == {
        "contract.initialized",
        "stream.fee_collected",
        "stream.created",
    }
