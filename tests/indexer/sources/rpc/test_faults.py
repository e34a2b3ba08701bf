"""Faults of Stellar RPC: their kinds, that none loses an event, and which events are accepted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import cycle
from typing import Any

import orjson
import pytest
from aiohttp import web

from deploy.simulator.chain import accounts
from deploy.simulator.chain.operations import Operation, Proposal
from services.indexer.sources.ledger_range import cursor_before
from services.indexer.sources.rpc import polling
from services.indexer.sources.rpc.source import RpcSource
from services.indexer.sources.verified_reader import VerifyingReader
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.decode.records import HorizonTransaction
from shared.chain.decode.transactions import DecodedEvents
from shared.chain.errors import FatalSourceError, SourceError
from shared.chain.rpc import RpcClient
from shared.domain.events import Event
from shared.domain.position import parse_position, toid
from tests.indexer.simulated import PASSPHRASE, Read, Sim, simulated
from tests.indexer.sources.rpc.test_source import ledgers, verdicts
from tests.support.web import serving

pytestmark = pytest.mark.timeout(30)
FIRST = 3_700_000
START = toid(FIRST)


@pytest.fixture
async def sim() -> AsyncIterator[Sim]:
    async with simulated(ledgers=20) as made:
        yield made


FAULTS = [
    ("429", "getEvents", "status_429"),
    ("503", "getEvents", "status_503"),
    ("504", "getTransaction", "status_504"),
    ("hang", "getEvents", "unreachable"),
    ("cut", "getEvents", "dropped"),
    ("slow", "getTransaction", "dropped"),
    ("malformed", "getEvents", "malformed"),
    ("malformed", "getTransaction", "malformed"),
    ("error", "getEvents", "rpc_timeout"),
    ("error", "getTransaction", "rpc_timeout"),
    ("error", "getNetwork", "rpc_timeout"),
    ("not_found", "getEvents", "status_404"),
    ("not_found", "getTransaction", "status_404"),
    ("no_meta", "getTransaction", "malformed"),
    ("corrupt_meta", "getTransaction", "unproved"),
    ("corrupt_meta", "getEvents", "unproved"),
]


@pytest.mark.parametrize(("fault", "surface", "kind"), FAULTS, ids=str)
async def test_faults_are_named_and_lose_nothing(
    sim: Sim, fault: str, surface: str, kind: str
) -> None:
    await sim.arm(fault, surface=surface, seconds=0.2 if fault == "slow" else 0)
    limit = 3 if fault in ("hang", "slow") else 10  # other faults end before it
    read = await Read(START).up_to(sim.tip, sim.rpc(seconds=limit))
    assert read.kinds == [kind]
    assert read.positions == sim.positions()
    assert verdicts(read) == {True}
    assert not await sim.unspent()


@pytest.mark.parametrize("surface", ["getTransaction", "getEvents"])
async def test_events_that_fail_their_proof_twice_are_fatal(sim: Sim, surface: str) -> None:
    await sim.arm("corrupt_meta", surface=surface, times=1000)
    read = Read(START)
    with pytest.raises(FatalSourceError, match="unproved: the events of transaction"):
        await read.up_to(sim.tip, sim.rpc())
    assert read.kinds == ["unproved"]
    assert read.positions == sim.positions()[: len(read.positions)]


async def test_alarm_only_keeps_unproved_events_under_an_alarm(sim: Sim) -> None:
    for source in (sim.rpc(alarm_only=True), sim.horizon(alarm_only=True)):
        surface = "getTransaction" if source.name == "rpc" else "stream"
        await sim.arm("corrupt_meta", surface=surface, times=1000)
        read = await Read(START).up_to(sim.tip, source)
        assert read.positions == sim.positions()
        assert verdicts(read) == {False}
        await sim.ask("DELETE", "faults")


def events_of(read: Read) -> list[Event]:
    return [event for batch in read.batches for event in batch.events]


async def test_events_of_a_trimmed_transaction_are_kept_without_a_proof(sim: Sim) -> None:
    details = sim.network.chain.transaction
    sim.network.chain.transaction = lambda _: None  # type: ignore[method-assign,assignment]
    read = await Read(START).up_to(sim.tip, sim.rpc())
    assert read.positions == sim.positions()
    assert verdicts(read) == {None}
    sim.network.chain.transaction = details  # type: ignore[method-assign]
    proved = await Read(START).up_to(sim.tip, sim.rpc())
    pairs = zip(events_of(read), events_of(proved), strict=True)
    for without, with_meta in pairs:
        schedule = {"schedule": {"kind": "unknown"}} if with_meta.type == "stream.created" else {}
        assert without.facts == {**with_meta.facts, **schedule}


async def test_a_transaction_that_this_server_does_not_have_yet_is_waited_for(
    sim: Sim, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = cursor_before(ledgers(sim)[1])
    source = sim.rpc()
    window = polling.EventPoller.window

    async def then_lag(*args: object) -> polling.EventWindow:
        found = await window(*args)  # type: ignore[arg-type]
        await sim.arm("lag", surface="rpc", after=1)
        return found

    monkeypatch.setattr(polling.EventPoller, "window", then_lag)
    sim.network.submit(Proposal(operations=(Operation(op="emit"),)))
    sim.close()
    with pytest.raises(SourceError, match=r"behind: getTransaction .* the server ends at ledger"):
        await anext(source.batches(cursor + (1 << 32)))


async def test_good_transactions_before_a_bad_one_are_kept(
    sim: Sim, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_one = VerifyingReader.read
    seen: list[int] = []

    def until_the_third(
        self: VerifyingReader, record: HorizonTransaction, *more: Any
    ) -> DecodedEvents:
        seen.append(record.toid)
        if len(seen) == 3:
            raise SourceError("unproved", "the third")
        return read_one(self, record, *more)

    monkeypatch.setattr(VerifyingReader, "read", until_the_third)
    read = await Read(START).up_to(sim.tip, sim.rpc())
    assert read.kinds == ["unproved"]
    assert read.batches[0].cursor == seen[1]
    assert seen[2] == seen[3]
    assert read.positions == sim.positions()


async def test_undecodable_xdr_is_a_dead_letter(sim: Sim) -> None:
    sim.network.submit(Proposal(operations=(Operation(op="emit"),), future="unknown_type"))
    cursor = cursor_before(ledgers(sim)[1] + 1)
    sim.close()
    by_rpc = await Read(cursor).up_to(sim.tip, sim.rpc())
    by_horizon = await Read(cursor).up_to(sim.tip, sim.horizon())
    letters = [[letter for b in read.batches for letter in b.dead] for read in (by_rpc, by_horizon)]
    assert letters[0] == letters[1]
    assert len(letters[0]) == 1


@pytest.mark.parametrize("first", [0, 1])
async def test_a_second_server_with_a_shorter_history_costs_nothing(sim: Sim, first: int) -> None:
    """Both are behind one URL; the second has a shorter history and lags."""
    turns = cycle([first, 1 - first])
    oldest, latest = FIRST + 8, sim.network.chain.latest.sequence - 2

    async def rpc(request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        if next(turns) and body["method"] == "getEvents":
            params = body["params"]
            cursor = params["pagination"].get("cursor", "0-0")
            start = params.get("startLedger") or parse_position(cursor).ledger
            if not oldest <= start <= latest:
                message = f"startLedger must be within the ledger range: {oldest} - {latest}"
                return web.json_response({"error": {"code": -32600, "message": message}})
        async with sim.session.post(f"{sim.url}/rpc", json=body) as answer:
            return web.json_response(await answer.json())

    async with serving(web.post("/", rpc)) as port:
        source = RpcSource(
            RpcClient(sim.session, f"http://127.0.0.1:{port}"),
            passphrase=PASSPHRASE,
            contracts=WatchedContracts.of(accounts.STREAMS),
            poll_seconds=0.01,
        )
        read = await Read(START).up_to(sim.tip, source)
    assert read.kinds == []
    assert read.positions == sim.positions()
