"""Ledgers that Horizon leaves out silently, trimmed or missing, and the requests for them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from deploy.simulator.chain.operations import Operation, Proposal
from services.indexer.sources.base import Source, SourceGapError
from services.indexer.sources.failover.fallback import FallbackSource
from services.indexer.sources.ledger_range import cursor_before
from shared.chain.errors import SourceError
from shared.domain.position import parse_position, toid
from tests.indexer.simulated import Read, Sim, simulated

pytestmark = pytest.mark.timeout(30)
FIRST = 3_700_000
START = toid(FIRST)
EVER = 1_000_000


@pytest.fixture
async def sim() -> AsyncIterator[Sim]:
    async with simulated(ledgers=30) as made:
        yield made


async def read_with_gaps(
    sim: Sim, source: Source, cursor: int = START
) -> tuple[Read, list[tuple[int, int]]]:
    """Read up to the tip as Ingest does; returns what was read, and the gaps."""
    read, gaps = Read(cursor), []
    while read.cursor < sim.tip:
        gap: SourceGapError | None = None
        try:
            await read.up_to(sim.tip, source)
        except SourceGapError as error:
            gap = error
        if gap:
            assert gap.read == read.cursor  # everything before the gap was returned
            gaps.append((gap.first, gap.last))
            read.cursor = cursor_before(gap.oldest)
    return read, gaps


def outside(sim: Sim, *holes: tuple[int, int]) -> list[str]:
    return [
        each
        for each in sim.positions()
        if not any(a <= parse_position(each).ledger <= b for a, b in holes)
    ]


def lists(sim: Sim) -> list[str]:
    return [url for url in sim.asked if "/ledgers?" in url]


async def test_ledgers_trimmed_while_the_root_is_old_are_a_gap(sim: Sim) -> None:
    """The root may be a second old."""
    source = sim.horizon()
    await sim.arm("byebye", after=7)
    read = Read(START)
    async for batch in source.batches(START):
        read.batches.append(batch)
        read.cursor = batch.cursor
        await sim.arm("trim", surface="horizon", after=5, seconds=60)
        break
    stopped = read.cursor >> 32
    with pytest.raises(SourceGapError) as gap:
        await read.up_to(sim.tip, source)
    latest = sim.network.chain.latest.sequence
    assert (gap.value.first, gap.value.last) == (stopped, latest - 5)
    assert read.kinds == ["missing"]  # one more look before the gap
    with pytest.raises(SourceGapError) as gap:  # and in a new process, from the middle of a ledger
        await Read(read.cursor).up_to(sim.tip, sim.horizon())
    assert gap.value.oldest == latest - 4


HOLES = {
    "in the middle": [(10, 15)],
    "of one ledger": [(12, 12)],
    "at the very beginning": [(0, 4)],
    "up to the last but one": [(20, 29)],
    "two": [(5, 6), (9, 20)],
    "all but one between": [(5, 10), (12, 16)],
}


@pytest.mark.parametrize("holes", HOLES.values(), ids=HOLES)
@pytest.mark.parametrize("page", [200, 1, 3])
async def test_the_gap_of_a_hole_has_exactly_its_ledgers(
    sim: Sim, holes: list[tuple[int, int]], page: int
) -> None:
    """Wherever a connection ends."""
    made = [(FIRST + a, FIRST + b) for a, b in holes]
    for first, last in made:
        await sim.arm("hole", first=first, last=last)
    if page < 200:
        await sim.arm("byebye", after=page, times=EVER)
    read, gaps = await read_with_gaps(sim, sim.horizon())
    assert gaps == made
    assert read.positions == outside(sim, *made)


@pytest.mark.io
async def test_empty_ledgers_around_a_hole_are_not_part_of_the_gap() -> None:
    async with simulated(streams=0, ledgers=2) as sim:
        cursor = sim.tip
        for op in ("emit", "fail", "fail", "emit", "emit", "fail", "emit"):
            sim.network.submit(Proposal(operations=(Operation(op=op),)))
            sim.close()
        first = (cursor >> 32) + 1
        await sim.arm("hole", first=first + 3, last=first + 4)
        read, gaps = await read_with_gaps(sim, sim.horizon(), cursor)
        assert gaps == [(first + 3, first + 4)]
        assert [parse_position(each).ledger for each in read.positions] == [first, first + 6]


async def test_a_hole_that_is_filled_meanwhile_is_no_gap(sim: Sim) -> None:
    await sim.arm("hole", first=FIRST + 5, last=FIRST + 9)
    source, read = sim.horizon(), Read(START)
    with pytest.raises(SourceError, match="missing"):  # noqa: PT012 - it reads until then
        async for batch in source.batches(START):
            read.batches.append(batch)
            read.cursor = batch.cursor
    await sim.ask("DELETE", "faults")
    await read.up_to(sim.tip, source)
    assert read.positions == sim.positions()
    assert read.kinds == []


@pytest.mark.io
async def test_a_backfill_lists_200_ledgers_at_once_and_the_tip_lists_none() -> None:
    async with simulated(ledgers=450) as sim:
        source = sim.horizon()
        cursor = await source.start("earliest")
        read = await Read(cursor).up_to(sim.tip, source)
        assert read.positions == sim.positions()
        assert len(lists(sim)) == 3
        sim.asked.clear()
        batches = source.batches(sim.tip)
        for _ in range(20):
            sim.close()
            while read.cursor < sim.tip:
                batch = await anext(batches)
                read.cursor = batch.cursor
        await batches.aclose()
        assert len(lists(sim)) == 1  # for the first record on this connection
        assert len(sim.asked) <= 3


@pytest.mark.io
async def test_a_run_of_empty_ledgers_costs_one_request() -> None:
    async with simulated(streams=0, ledgers=2) as sim:
        source, read = sim.horizon(), Read(sim.tip)
        batches = source.batches(sim.tip)
        for _ in range(3):
            for op in ("fail", "fail", "emit"):
                sim.network.submit(Proposal(operations=(Operation(op=op),)))
                sim.close()
            while read.cursor < sim.tip:
                batch = await anext(batches)
                read.cursor = batch.cursor
        await batches.aclose()
        assert len(lists(sim)) == 3


# ── the other source ──


async def test_ledgers_that_horizon_lacks_are_read_from_rpc(sim: Sim) -> None:
    for first, last in ((FIRST, FIRST + 1), (FIRST + 5, FIRST + 9), (FIRST + 11, FIRST + 29)):
        await sim.arm("hole", first=first, last=last)
    read, gaps = await read_with_gaps(sim, FallbackSource(sim.horizon(), sim.rpc()))
    assert not gaps
    assert read.positions == sim.positions()
    assert all(a.cursor < b.cursor for a, b in pairwise(read.batches))


async def test_only_ledgers_that_rpc_lacks_too_are_a_gap(sim: Sim) -> None:
    latest = sim.network.chain.latest.sequence
    await sim.arm("hole", first=FIRST + 5, last=FIRST + 20)
    await sim.arm("trim", surface="rpc", after=latest - (FIRST + 12) + 1)
    read, gaps = await read_with_gaps(sim, FallbackSource(sim.horizon(), sim.rpc()))
    assert gaps == [(FIRST + 5, FIRST + 11)]
    assert read.positions == outside(sim, *gaps)


async def test_an_unreachable_source_does_not_confirm_a_gap(sim: Sim) -> None:
    await sim.arm("hole", first=FIRST + 5, last=FIRST + 9)
    await sim.arm("503", surface="rpc", times=6)
    read, gaps = await read_with_gaps(sim, FallbackSource(sim.horizon(), sim.rpc()))
    assert not gaps
    assert read.positions == sim.positions()
    assert read.kinds.count("status_503") == 6


async def test_ledgers_trimmed_before_they_are_read_come_from_rpc(sim: Sim) -> None:
    await sim.arm("trim", surface="horizon", after=5)
    read, gaps = await read_with_gaps(sim, FallbackSource(sim.horizon(), sim.rpc()))
    assert not gaps
    assert read.positions == sim.positions()


@pytest.mark.parametrize("seed", range(6))
async def test_everything_is_read_or_part_of_a_gap(sim: Sim, seed: int) -> None:
    chance = random.Random(seed)
    holes: list[tuple[int, int]] = []
    at = FIRST + chance.randrange(3)
    while at < FIRST + 28:
        holes.append((at, min(at + chance.randrange(5), FIRST + 29)))
        at = holes[-1][1] + chance.randint(2, 6)
    for first, last in holes:
        await sim.arm("hole", first=first, last=last)
    await sim.arm("byebye", after=chance.randint(1, 9), times=EVER)
    read, gaps = await read_with_gaps(sim, sim.horizon())
    assert gaps == holes
    assert read.positions == outside(sim, *holes)
    read, gaps = await read_with_gaps(sim, FallbackSource(sim.horizon(), sim.rpc()))
    assert not gaps
    assert read.positions == sim.positions()
