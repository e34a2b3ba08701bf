"""Horizon as a source: where reading begins, how it continues, and its errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress

import pytest

from deploy.simulator.chain.operations import Operation, Proposal
from services.indexer.sources.base import Batch, SourceGapError
from services.indexer.sources.horizon import history as history_module
from shared.chain.errors import FatalSourceError, SourceError
from shared.domain.position import toid
from tests.indexer.simulated import Read, Sim, simulated
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.timeout(20)]


@pytest.fixture
async def sim() -> AsyncIterator[Sim]:
    async with simulated() as made:
        yield made


def ledgers(sim: Sim) -> tuple[int, int]:
    return sim.network.chain.oldest.sequence, sim.network.chain.latest.sequence


async def test_start_gives_the_cursor_of_each_setting(sim: Sim) -> None:
    oldest, latest = ledgers(sim)
    source = sim.horizon()
    assert await source.start("latest") == toid(latest + 1)
    assert await source.start("earliest") == toid(oldest)
    for ledger in (oldest, latest, latest + 1):
        assert await source.start(str(ledger)) == toid(ledger)
    for ledger in (oldest - 1, latest + 2, latest + 2_000, 4_000_000_000):
        final = SourceError if ledger == latest + 2 else FatalSourceError  # it may only lag
        with pytest.raises(final, match=f"{ledger}: Horizon has ledgers {oldest} to {latest}"):
            await source.start(str(ledger))


@pytest.mark.parametrize("where", ["earliest", "latest", "3700004"])
async def test_everything_comes_once_and_in_order(sim: Sim, where: str) -> None:
    source = sim.horizon()
    cursor = await source.start(where)
    sim.close(5)
    read = await Read(cursor).up_to(sim.tip, source)
    assert read.positions == sim.positions(cursor)
    assert not read.kinds
    last = read.batches[-1]
    assert (last.cursor, last.ledger) == (sim.tip, sim.network.chain.latest.sequence)
    assert not [url for url in sim.asked if "now" in url]


async def test_start_latest_loses_nothing_if_the_first_stream_drops(sim: Sim) -> None:
    source = sim.horizon()
    cursor = await source.start("latest")
    await sim.arm("drop", times=3)
    pending = asyncio.create_task(Read(cursor).up_to(toid(cursor >> 32, 1), source))
    await until(lambda: len([u for u in sim.asked if "/transactions" in u]) >= 2)
    sim.close()
    read = await pending
    assert read.positions == sim.positions(cursor)
    assert set(read.kinds) == {"dropped"}


async def test_transactions_come_as_they_happen(sim: Sim) -> None:
    opened: list[None] = []
    source = sim.horizon(opened=lambda: opened.append(None))
    async with aclosing(source.batches(sim.tip)) as batches:
        for _ in range(3):
            waiting = asyncio.create_task(anext(batches))
            await until(lambda: sim.network.listeners and opened)
            sim.close()
            batch: Batch = await waiting
            assert batch.ledger == sim.network.chain.latest.sequence
            assert (batch.closed_at or "").endswith("Z")
            while batch.cursor < sim.tip:
                batch = await anext(batches)
    assert len(opened) == 1
    assert len([u for u in sim.asked if "/transactions" in u]) == 1  # one connection for all
    await until(lambda: not sim.network.listeners, what="the connection closed")


async def test_byebye_reconnects_at_once() -> None:
    async with simulated(stream_seconds=0.05) as sim:
        source = sim.horizon()
        pending = asyncio.create_task(Read(sim.tip).up_to(sim.tip + (1 << 32), source))
        await until(lambda: len([u for u in sim.asked if "/transactions" in u]) >= 4, seconds=10)
        sim.close()
        read = await pending
    assert not read.kinds
    assert len([u for u in sim.asked if not u.endswith("/")]) >= 4
    assert len([u for u in sim.asked if u.endswith("/")]) <= 2  # the root is read regularly


async def test_the_next_page_continues_after_the_last_record() -> None:
    async with simulated(ledgers=150) as sim:
        read = await Read(toid(3_700_000)).up_to(sim.tip, sim.horizon())
        assert read.positions == sim.positions()
        assert not read.kinds
        pages = [u for u in sim.asked if "/transactions" in u]
        assert len(pages) >= 2
        assert len(set(pages)) == len(pages)


async def test_an_abandoned_generator_closes_its_connection(sim: Sim) -> None:
    """After an error of the reader, its return, or its cancellation."""
    source = sim.horizon()
    cursor = await source.start("earliest")
    with suppress(RuntimeError):
        async with aclosing(source.batches(cursor)) as batches:
            async for _ in batches:
                assert sim.network.listeners
                raise RuntimeError
    await until(lambda: not sim.network.listeners, what="closed after a failure")
    task = asyncio.create_task(Read(sim.tip).up_to(sim.tip + 1, source))
    await until(lambda: sim.network.listeners)
    task.cancel()
    await until(lambda: not sim.network.listeners, what="closed after a cancellation")


# ── missing history ──


async def test_trimmed_history_is_a_gap(sim: Sim) -> None:
    source = sim.horizon()
    await sim.arm("byebye", after=3)
    read = Read(await source.start("earliest"))
    pending = asyncio.create_task(read.up_to(sim.tip, source))
    with suppress(asyncio.CancelledError):
        await until(lambda: read.batches)
        pending.cancel()
        await pending
    stopped = read.cursor >> 32
    sim.close(12)
    await sim.arm("trim", after=3)
    oldest = sim.network.chain.oldest.sequence
    before = list(read.positions)
    # The root was read a moment ago, so only the list of ledgers can show it.
    text = f"gap: ledgers {stopped} to {oldest - 1} are not in the history of Horizon"
    with pytest.raises(SourceGapError, match=text):
        await read.up_to(sim.tip, source)
    assert read.positions == before
    with pytest.raises(SourceGapError, match="gap: ledgers"):  # a new process reads the root first
        await read.up_to(sim.tip, sim.horizon())


async def test_ledgers_without_transactions_are_not_a_gap() -> None:
    """Horizon without failed transactions has such ledgers; they cost one look at the list."""
    async with simulated(streams=0, ledgers=2) as sim:
        cursor = sim.tip
        fail = Proposal(operations=(Operation(op="fail"),))
        for _ in range(3):
            sim.network.submit(fail)
            sim.close()
        sim.network.submit(Proposal(operations=(Operation(op="emit"),)))
        sim.close()
        read = await Read(cursor).up_to(sim.tip, sim.horizon())
        assert read.positions == sim.positions(cursor)
        assert len(read.positions) == 1


async def test_a_far_lower_tip_is_a_reset(sim: Sim) -> None:
    read = Read(sim.tip)
    await sim.arm("reset")
    with pytest.raises(
        FatalSourceError, match="reset: read up to ledger 3700010, but Horizon ends at 2"
    ):
        await read.up_to(read.cursor + 1, sim.horizon())


async def test_a_reset_during_a_stream_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "_CHECK_SECONDS", 0.05)
    async with simulated(stream_seconds=0.1) as sim:
        read = Read(sim.tip)
        pending = asyncio.create_task(read.up_to(read.cursor + 1, sim.horizon()))
        await until(lambda: sim.network.listeners)
        await sim.arm("reset")
        with pytest.raises(FatalSourceError, match="reset"):
            await pending
        assert not read.batches


async def test_a_server_that_lags_is_tried_again(sim: Sim) -> None:
    for ahead in (2, 900):
        with pytest.raises(
            SourceError, match=r"behind: read up to ledger \d+, but Horizon ends at"
        ):
            await anext(sim.horizon().batches(toid(ledgers(sim)[1] + ahead)))
    async with aclosing(sim.horizon().batches(toid(ledgers(sim)[1] + 1))) as batches:
        waiting = asyncio.create_task(anext(batches))
        await until(lambda: sim.network.listeners)
        sim.close()
        assert (await waiting).ledger == ledgers(sim)[1]


async def test_another_passphrase_is_fatal(sim: Sim) -> None:
    with pytest.raises(FatalSourceError, match="passphrase: Horizon is on network 'Headrace Local"):
        await sim.horizon(passphrase="Another").start("latest")
    await sim.arm("passphrase", surface="root")
    with pytest.raises(FatalSourceError, match="Some Other Network"):
        await anext(sim.horizon().batches(sim.tip))
