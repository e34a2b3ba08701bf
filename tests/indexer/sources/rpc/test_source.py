"""Stellar RPC as a source: pages, the proof of each transaction, and missing ledgers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest

from deploy.simulator.chain import accounts
from deploy.simulator.chain.operations import Operation, Proposal
from services.indexer.sources.base import Batch, SourceGapError
from services.indexer.sources.ledger_range import cursor_before
from services.indexer.sources.rpc import polling
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.errors import FatalSourceError, SourceError
from shared.domain.position import toid
from tests.indexer.simulated import Read, Sim, simulated
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(30)
START = toid(3_700_000)


@pytest.fixture
async def sim() -> AsyncIterator[Sim]:
    async with simulated(ledgers=20) as made:
        yield made


def ledgers(sim: Sim) -> tuple[int, int]:
    return sim.network.chain.oldest.sequence, sim.network.chain.latest.sequence


def verdicts(read: Read) -> set[bool | None]:
    return {e.provenance.verified for b in read.batches for e in b.events if e.provenance}


async def test_start_gives_the_cursor_of_each_setting(sim: Sim) -> None:
    oldest, latest = ledgers(sim)
    source = sim.rpc()
    assert await source.start("latest") == toid(latest + 1)
    assert await source.start("earliest") == toid(oldest)
    assert await source.start(str(latest)) == toid(latest)
    with pytest.raises(FatalSourceError, match=f"1: RPC has ledgers {oldest} to {latest}"):
        await source.start("1")


@pytest.mark.parametrize("where", ["earliest", "latest", "3700004"])
async def test_everything_comes_once_in_order_and_proved(sim: Sim, where: str) -> None:
    source = sim.rpc()
    cursor = await source.start(where)
    sim.close(5)
    read = await Read(cursor).up_to(sim.tip, source)
    assert read.positions == sim.positions(cursor)
    assert not read.kinds
    assert verdicts(read) == {True}
    last, latest = read.batches[-1], sim.network.chain.latest
    assert (last.cursor, last.ledger) == (cursor_before(latest.sequence + 1), latest.sequence)
    assert last.latest == latest.sequence


async def test_both_sources_return_the_same_events(sim: Sim) -> None:
    """The events and all their fields, so that a switch between the sources changes nothing."""
    both = [await Read(START).up_to(sim.tip, each) for each in (sim.rpc(), sim.horizon())]
    first, second = ([e for b in read.batches for e in b.events] for read in both)
    assert first == second
    assert len(first) > 10


async def test_ledgers_come_as_they_close(sim: Sim) -> None:
    opened: list[None] = []
    source = sim.rpc(opened=lambda: opened.append(None))
    async with aclosing(source.batches(cursor_before(ledgers(sim)[1] + 1))) as batches:
        for _ in range(3):
            waiting = asyncio.create_task(anext(batches))
            await until(lambda: opened)
            sim.close()
            batch = await waiting
            latest = sim.network.chain.latest
            assert (batch.ledger, batch.cursor) == (
                latest.sequence,
                cursor_before(latest.sequence + 1),
            )
    assert len(opened) == 1


async def test_an_empty_answer_moves_the_cursor(sim: Sim) -> None:
    """The same ledgers of a quiet contract are not searched again and again."""
    nobody = WatchedContracts.of(accounts.contract_id("nobody"))
    source = sim.rpc(contracts=nobody)
    read = await Read(START).up_to(sim.tip, source)
    [batch] = read.batches
    assert (batch.events, batch.cursor) == ([], cursor_before(ledgers(sim)[1] + 1))
    sim.close()
    async with aclosing(source.batches(batch.cursor)) as batches:
        again = await anext(batches)
    assert (again.events, again.cursor) == ([], batch.cursor + (1 << 32))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
async def test_a_transaction_cut_by_a_page_is_held_back(
    sim: Sim, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "_PAGE", size)
    read = await Read(START).up_to(sim.tip, sim.rpc())
    assert read.positions == sim.positions()
    seen: set[int] = set()
    for batch in read.batches:
        whole = {e.position.toid for e in batch.events if e.position}
        assert not whole & seen, "a transaction came in two commits"
        seen |= whole
    assert max(sim.positions().count(p) for p in sim.positions()) == 1


async def test_a_transaction_with_too_many_pages_is_an_error(
    sim: Sim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "_PAGE", 1)
    monkeypatch.setattr(polling, "_MAX_PAGES_PER_TRANSACTION", 2)
    emit = tuple(Operation(op="emit") for _ in range(5))
    sim.network.submit(Proposal(operations=emit))
    cursor = cursor_before(ledgers(sim)[1] + 1)
    sim.close()
    async with aclosing(sim.rpc().batches(cursor)) as batches:
        assert not (await anext(batches)).events
        with pytest.raises(SourceError, match="fills more than 2 pages"):
            await anext(batches)


async def test_more_contracts_than_one_call_allows_are_polled(sim: Sim) -> None:
    """Two calls, merged in order up to where both have searched."""
    others = [f"{accounts.contract_id(f'token-{n}')}:token" for n in range(30)]
    named = [accounts.STREAMS, *others, f"{accounts.TOKEN}:token"]
    both = WatchedContracts.of(*named)
    assert len(both.addresses) == 32
    read = await Read(START).up_to(sim.tip, sim.rpc(contracts=both))
    wanted = {*sim.positions(), *sim.positions(contract=accounts.TOKEN)}
    assert set(read.positions) == wanted
    assert len(read.positions) == len(wanted)
    ordered = [e.position for b in read.batches for e in b.events if e.position]
    assert ordered == sorted(ordered)
    assert len([u for u in sim.asked if u.endswith("/rpc")]) > 2


async def test_calls_that_search_differently_far_are_merged(
    sim: Sim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "_PAGE", 2)
    monkeypatch.setattr(polling, "PER_CALL", 1)
    both = WatchedContracts.of(accounts.STREAMS, f"{accounts.TOKEN}:token")
    read = await Read(START).up_to(sim.tip, sim.rpc(contracts=both))
    wanted = {*sim.positions(), *sim.positions(contract=accounts.TOKEN)}
    assert set(read.positions) == wanted
    assert len(read.positions) == len(wanted)
    assert verdicts(read) == {True}
    assert not read.kinds, "a transaction of which one poll had not come to all was read"


async def test_polling_is_immediate_while_behind_and_paused_at_the_tip(
    sim: Sim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "_PAGE", 2)
    source = sim.rpc(poll=60)
    read = await asyncio.wait_for(Read(START).up_to(sim.tip, source), 25)
    assert read.positions == sim.positions()
    async with aclosing(source.batches(read.cursor - (1 << 32))) as batches:
        while (await anext(batches)).cursor < read.cursor:
            pass
        asked = len(sim.asked)
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.wait({waiting}, timeout=0.3)
        assert len(sim.asked) == asked
        waiting.cancel()
        await asyncio.wait({waiting})


# ── out of range ──


async def test_ledgers_trimmed_before_or_during_reading_are_a_gap(sim: Sim) -> None:
    source = sim.rpc()
    cursor = cursor_before(ledgers(sim)[0] + 2)
    await sim.arm("trim", surface="rpc", after=3)
    oldest = ledgers(sim)[1] - 2
    with pytest.raises(
        SourceGapError, match=f"gap: ledgers .* to {oldest - 1} are not in the history of RPC"
    ) as gap:
        await anext(source.batches(cursor))
    assert (gap.value.read, gap.value.oldest) == (cursor, oldest)
    async with aclosing(
        source.batches(cursor_before(oldest))
    ) as batches:  # nothing is missing there
        await anext(batches)
        sim.close(20)
        await sim.arm("trim", surface="rpc", after=2)
        with pytest.raises(SourceGapError):
            await _drained(batches)


async def _drained(batches: AsyncGenerator[Batch]) -> None:
    async for _ in batches:
        pass


async def test_a_lagging_server_is_retried_and_a_reset_is_fatal(sim: Sim) -> None:
    cursor = cursor_before(ledgers(sim)[1] + 1)
    await sim.arm("lag", surface="rpc", after=3)
    with pytest.raises(SourceError, match="behind: read up to ledger"):
        await anext(sim.rpc().batches(cursor))
    await sim.ask("DELETE", "faults")
    async with aclosing(sim.rpc().batches(cursor_before(ledgers(sim)[1]))) as batches:
        await anext(batches)  # a source that begins to lag during reading
        await sim.arm("lag", surface="rpc", after=3)
        with pytest.raises(SourceError, match="behind"):
            await anext(batches)
    await sim.arm("reset")
    with pytest.raises(
        FatalSourceError, match="reset: read up to ledger 3700020, but RPC ends at 2"
    ):
        await anext(sim.rpc().batches(cursor))


async def test_another_passphrase_is_fatal(sim: Sim) -> None:
    await sim.arm("passphrase", surface="getNetwork")
    with pytest.raises(FatalSourceError, match="passphrase: RPC is on network 'Some Other Network"):
        await anext(sim.rpc().batches(START))
    with pytest.raises(FatalSourceError, match="passphrase"):
        await sim.rpc(passphrase="Another").start("latest")
