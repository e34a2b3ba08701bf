"""Ledgers that are missing in RPC's database, which getEvents skips silently."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.simulator.chain.operations import Operation, Proposal
from services.indexer.sources.base import SourceGapError
from services.indexer.sources.failover.fallback import FallbackSource
from services.indexer.sources.failover.source import FailoverSource
from services.indexer.sources.ledger_range import cursor_before, next_ledger
from services.indexer.sources.rpc.polling import EventWindow
from services.indexer.sources.rpc.presence import LedgerPresence
from shared.chain.rpc import NO_SUCH_METHOD, RpcClient, RpcError
from tests.indexer.simulated import Read, Sim, simulated
from tests.indexer.sources.horizon.test_continuity import (
    FIRST,
    HOLES,
    START,
    outside,
    read_with_gaps,
)

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def sim() -> AsyncIterator[Sim]:
    async with simulated(ledgers=30) as made:
        yield made


async def lose(sim: Sim, *holes: tuple[int, int]) -> list[tuple[int, int]]:
    made = [(FIRST + a, FIRST + b) for a, b in holes]
    for first, last in made:
        await sim.arm("hole", surface="rpc", first=first, last=last)
    return made


@pytest.mark.parametrize("holes", [h for h in HOLES.values() if h[0][0]], ids=str)
async def test_a_hole_is_a_gap_of_exactly_its_ledgers(
    sim: Sim, holes: list[tuple[int, int]]
) -> None:
    made = await lose(sim, *holes)
    read, gaps = await read_with_gaps(sim, sim.rpc())
    assert gaps == made
    assert read.positions == outside(sim, *made)


async def test_a_hole_of_rpc_is_read_from_horizon(sim: Sim) -> None:
    await lose(sim, (10, 15))
    await sim.arm("hole", first=FIRST + 3, last=FIRST + 5)
    for source in (
        FailoverSource(sim.rpc(), sim.horizon(), look_seconds=0.05),
        FallbackSource(sim.horizon(), sim.rpc()),
    ):
        read, gaps = await read_with_gaps(sim, source)
        assert gaps == []
        assert read.positions == sim.positions()


async def test_a_hole_at_the_tip_is_found_whatever_its_length(sim: Sim) -> None:
    source, read = sim.rpc(), Read(START)
    await read.up_to(sim.tip, source)
    sim.close(4)
    tip = sim.network.chain.latest.sequence
    await sim.arm("hole", surface="rpc", first=tip - 2, last=tip - 2)
    with pytest.raises(SourceGapError) as gap:
        await read.up_to(sim.tip, source)
    assert (gap.value.first, gap.value.last) == (tip - 2, tip - 2)


@pytest.mark.io
async def test_ledgers_without_events_are_not_a_hole() -> None:
    async with simulated(streams=0, ledgers=2) as sim:
        cursor = sim.tip
        for op in ("emit", "fail", "fail", "emit", "fail", "emit"):
            sim.network.submit(Proposal(operations=(Operation(op=op),)))
            sim.close()
        read, gaps = await read_with_gaps(sim, sim.rpc(), cursor)
        assert gaps == []
        assert read.positions == sim.positions(after=cursor)


class Ledgers(RpcClient):
    """A server without events, and with these ledgers of 0 to `latest`."""

    def __init__(self, missing: range, latest: int) -> None:
        self.missing, self.latest, self.calls = missing, latest, 0

    async def call(self, method: str, **params: object) -> dict[str, object]:
        self.calls += 1
        if method == "getEvents":
            return {"events": []}
        start, count = params["startLedger"], params["pagination"]["limit"]  # type: ignore[index]
        assert isinstance(start, int)
        wanted = range(start, min(start + count, self.latest + 1))
        return {"ledgers": [{"sequence": n} for n in wanted if n not in self.missing]}


@given(
    start=st.integers(1, 500),
    length=st.integers(1, 9_000),
    at=st.integers(0, 9_500),
    missing=st.integers(1, 3_000),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_hole_longer_than_a_64th_of_the_answer_is_always_found(
    start: int, length: int, at: int, missing: int
) -> None:
    """In any case, no existing ledger is reported as missing."""
    end, first = start + length, start + at
    hole = range(first, first + missing)
    server = Ledgers(hole, latest=end + missing + 10_000)
    found = await first_missing(server, start, end)
    assert found in (None, first)
    if missing >= -(-length // 64) and hole.stop <= end:
        assert found == first
    assert server.calls < 64 * 2 + 40


async def first_missing(server: Ledgers, start: int, end: int) -> int | None:
    """The first missing ledger if getEvents covered `start` to cursor_before `end`."""
    window = EventWindow([], cursor_before(end), server.latest, "")
    try:
        before_hole = await LedgerPresence(server).before_hole(cursor_before(start), window)
    except SourceGapError as gap:
        assert gap.oldest == server.missing.stop  # noqa: PT017 - there may be none
        return gap.first
    return None if before_hole == window else next_ledger(before_hole.upto)


async def test_a_server_that_cannot_tell_has_no_holes() -> None:
    """It has no getLedgers, or allows no search without a filter."""

    class Old(RpcClient):
        def __init__(self, method: str) -> None:
            self.refuses, self.calls = method, 0

        async def call(self, method: str, **params: object) -> dict[str, object]:
            self.calls += 1
            if method == self.refuses:
                raise RpcError(method, NO_SUCH_METHOD, "method not found")
            return {"events": []}

    for method in ("getLedgers", "getEvents"):
        server = Old(method)
        window = EventWindow([], cursor_before(2_000), 3_000, "")
        presence = LedgerPresence(server)
        for _ in range(3):
            assert await presence.before_hole(cursor_before(1_000), window) == window
        assert server.calls <= 16, "it is asked once"
