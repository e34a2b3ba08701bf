"""Failover between two sources: no event lost and none twice, whatever is switched when."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from deploy.simulator.chain.operations import Operation, Proposal
from services.indexer.sources.base import Source, SourceGapError
from services.indexer.sources.failover.source import FailoverSource
from services.indexer.sources.ledger_range import cursor_before
from shared.chain.errors import FatalSourceError, SourceError
from shared.domain.position import toid
from tests.indexer.simulated import Read, Sim, simulated
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(30)
START = toid(3_700_000)
EVER = 1_000_000


@pytest.fixture
async def sim() -> AsyncIterator[Sim]:
    async with simulated(ledgers=20) as made:
        yield made


def auto(sim: Sim, *, look: float = 0.05) -> FailoverSource:
    return FailoverSource(sim.rpc(), sim.horizon(), look_seconds=look)


async def test_the_first_source_is_read_while_it_works(sim: Sim) -> None:
    source = auto(sim, look=30)  # a busy machine makes any source slow
    read = await Read(START).up_to(sim.tip, source)
    assert read.positions == sim.positions()
    assert (source.name, source.other) == ("rpc", "horizon")
    assert not [u for u in sim.asked if "/transactions" in u]


@pytest.mark.parametrize("fault", ["503", "malformed", "error", "drop"])
async def test_repeated_failures_cause_a_switch(sim: Sim, fault: str) -> None:
    source = auto(sim)
    await sim.arm(fault, surface="getEvents", times=EVER)
    read = await Read(START).up_to(sim.tip, source)
    assert read.positions == sim.positions()
    assert source.name == "horizon"
    assert len(read.errors) == 1  # the second failure was the switch
    await sim.ask("DELETE", "faults")
    await sim.arm("503", surface="stream", times=EVER)
    sim.close(3)
    await read.up_to(sim.tip, source)
    assert read.positions == sim.positions()
    assert source.name == "rpc"


async def test_a_long_retry_after_causes_a_switch_at_once(sim: Sim) -> None:
    source = auto(sim)
    await sim.arm("429", surface="getEvents", retryAfter=3600)
    read = await Read(START).up_to(sim.tip, source)
    assert read.positions == sim.positions()
    assert source.name == "horizon"
    assert read.errors == []


async def test_if_both_fail_the_indexer_waits(sim: Sim) -> None:
    source = auto(sim)
    await sim.arm("503", surface="*", times=12)
    read = await Read(START).up_to(sim.tip, source)
    assert read.positions == sim.positions()
    assert set(read.kinds) == {"status_503"}


async def test_a_stalled_source_is_left(sim: Sim) -> None:
    source = FailoverSource(sim.horizon(seconds=60), sim.rpc(), look_seconds=0.2)
    await sim.arm("stall", surface="stream", after=3)
    read = Read(START)
    reading = asyncio.create_task(read.up_to(sim.tip, source))
    await until(lambda: read.batches, what="the records before the stall")
    # Looks at Horizon fail from now on, so that a slow RPC is not taken for stalled.
    await sim.arm("503", surface="root", times=EVER)
    await reading
    assert read.positions == sim.positions()
    assert source.name == "rpc"


async def test_a_lagging_source_is_left(sim: Sim) -> None:
    source = auto(sim)
    await sim.arm("lag", surface="rpc", after=10)
    read = await Read(START).up_to(sim.tip, source)
    assert read.positions == sim.positions()
    assert source.name == "horizon"


async def test_ledgers_that_one_source_trimmed_come_from_the_other(sim: Sim) -> None:
    await sim.arm("trim", surface="rpc", after=4)
    source = auto(sim)
    read = await Read(START).up_to(sim.tip, source)
    assert read.positions == sim.positions()
    assert not read.errors
    assert source.name == "horizon"


async def test_of_two_gaps_the_smaller_one_is_raised(sim: Sim) -> None:
    await sim.arm("trim", surface="rpc", after=4)
    await sim.arm("trim", surface="horizon", after=8)
    latest = sim.network.chain.latest.sequence
    for source in (auto(sim), FailoverSource(sim.horizon(), sim.rpc(), look_seconds=0.05)):
        with pytest.raises(SourceGapError) as gap:
            await Read(START).up_to(sim.tip, source)
        assert gap.value.oldest == latest - 7
        assert source.name == "horizon"
        cursor = cursor_before(gap.value.oldest)
        read = await Read(cursor).up_to(sim.tip, source)
        assert read.positions == sim.positions(cursor)


async def test_reading_begins_if_one_source_has_the_ledger(sim: Sim) -> None:
    source = auto(sim)
    await sim.arm("trim", surface="rpc", after=4)
    latest = sim.network.chain.latest.sequence
    assert await source.start("earliest") == START
    assert await source.start("3700001") == toid(3_700_001)
    assert await source.start("latest") == toid(latest + 1)
    with pytest.raises(FatalSourceError, match="START=1:"):
        await source.start("1")
    with pytest.raises(FatalSourceError, match="START=3800000:"):
        await source.start("3800000")
    with pytest.raises(SourceError, match="behind: START="):  # both may only lag
        await source.start(str(latest + 20))
    await sim.arm("503", surface="horizon", times=EVER)
    assert await source.start("earliest") == toid(latest - 3)
    await sim.arm("503", surface="rpc", times=EVER)
    with pytest.raises(SourceError, match="status_503"):
        await source.start("latest")


async def test_a_wrong_passphrase_of_either_source_is_fatal(sim: Sim) -> None:
    await sim.arm("passphrase", surface="getNetwork", times=EVER)
    with pytest.raises(FatalSourceError, match="passphrase: RPC"):
        await Read(sim.tip + (1 << 40)).up_to(1 << 62, auto(sim))
    await sim.ask("DELETE", "faults")
    await sim.arm("passphrase", surface="root", times=EVER)
    with pytest.raises(FatalSourceError, match="passphrase: Horizon"):
        await Read(cursor_before(sim.network.chain.latest.sequence + 1)).up_to(1 << 62, auto(sim))


async def test_unproved_events_are_read_from_the_other_source(sim: Sim) -> None:
    await sim.arm("corrupt_meta", surface="getTransaction", times=EVER)
    source = auto(sim)
    read = await Read(START).up_to(sim.tip, source)
    assert read.positions == sim.positions()
    assert source.name == "horizon"


@pytest.mark.parametrize("look", [0.0, 1.0])
async def test_events_that_neither_source_can_prove_are_fatal(sim: Sim, look: float) -> None:
    """The indexer does not switch back and forth without end."""
    for surface in ("getTransaction", "stream"):
        await sim.arm("corrupt_meta", surface=surface, times=EVER)
    source = auto(sim, look=look)
    with pytest.raises(FatalSourceError, match="unproved"):
        await Read(START).up_to(sim.tip, source)


async def test_missing_metas_are_read_from_the_other_source(sim: Sim) -> None:
    await sim.arm("empty_meta", surface="stream", times=EVER)
    source = FailoverSource(sim.horizon(rpc=False), sim.rpc(), look_seconds=0.05)
    read = await Read(START).up_to(sim.tip, source)
    assert read.positions == sim.positions()
    assert source.name == "rpc"


async def test_an_older_database_of_one_source_is_not_a_network_reset(
    sim: Sim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.indexer.sources.ledger_range._LAG", 2)
    cursor = cursor_before(sim.network.chain.latest.sequence + 1)
    await sim.arm("lag", surface="horizon", after=10)
    source = FailoverSource(sim.horizon(), sim.rpc(), look_seconds=0.05)
    pending = asyncio.create_task(Read(cursor).up_to(cursor + (1 << 32), source))
    await until(lambda: source.name == "rpc")
    sim.close(2)
    assert (await pending).positions[:1] == sim.positions(cursor)[:1]


HOLE = (3_700_005, 3_700_009)


@pytest.mark.parametrize("first", ["horizon", "rpc"])
async def test_a_hole_of_one_source_is_read_from_the_other(sim: Sim, first: str) -> None:
    await sim.arm("hole", first=HOLE[0], last=HOLE[1])
    both: list[Source] = [sim.horizon(), sim.rpc()]
    source = FailoverSource(*(both if first == "horizon" else both[::-1]), look_seconds=0.05)
    read = await Read(START).up_to(sim.tip, source)
    assert read.positions == sim.positions()
    assert source.name == "rpc"


@pytest.mark.parametrize("look", [0.0, 1.0])
async def test_only_ledgers_that_neither_source_has_are_a_gap(sim: Sim, look: float) -> None:
    """RPC's history begins inside Horizon's hole; neither source is asked again and again."""
    await sim.arm("hole", first=HOLE[0], last=HOLE[1])
    latest = sim.network.chain.latest.sequence
    await sim.arm("trim", surface="rpc", after=latest - HOLE[1] + 2)
    source = FailoverSource(sim.horizon(), sim.rpc(), look_seconds=look)
    with pytest.raises(SourceGapError) as gap:
        await Read(START).up_to(sim.tip, source)
    assert (gap.value.first, gap.value.last) == (HOLE[0], HOLE[1] - 2)
    assert gap.value.read == cursor_before(HOLE[0])
    cursor = cursor_before(gap.value.oldest)
    read = await Read(cursor).up_to(sim.tip, source)
    assert read.positions == sim.positions(cursor)


@pytest.mark.parametrize("seed", range(4))
async def test_switching_loses_and_duplicates_nothing(sim: Sim, seed: int) -> None:
    chance = random.Random(seed)
    source = auto(sim, look=0.02)
    read = Read(START)
    names = set()
    for _ in range(12):
        surface = "getEvents" if source.name == "rpc" else "stream"
        if chance.random() < 0.8:
            kind = chance.choice(["503", "504", "malformed", "cut", "drop"])
            await sim.arm(kind, surface=surface, times=chance.randrange(1, 6))
        for _ in range(chance.randrange(3)):
            sim.network.submit(Proposal(operations=(Operation(op="emit"),)))
        sim.close(chance.randint(1, 4))
        await read.up_to(sim.tip, source)
        names.add(source.name)
    assert read.positions == sim.positions()
    assert names == {"rpc", "horizon"}


async def test_an_abandoned_generator_closes_its_connection(sim: Sim) -> None:
    source = FailoverSource(sim.horizon(), sim.rpc(), look_seconds=0.02)
    task = asyncio.create_task(Read(sim.tip).up_to(1 << 62, source))
    await until(lambda: sim.network.listeners)
    task.cancel()
    await until(lambda: not sim.network.listeners, what="closed after a cancellation")
    async with aclosing(source.batches(START)) as batches:
        await anext(batches)
        assert sim.network.listeners
    await until(lambda: not sim.network.listeners, what="closed after its reader left")
    others = [t for t in asyncio.all_tasks() if "_watch" in repr(t)]
    assert not others
