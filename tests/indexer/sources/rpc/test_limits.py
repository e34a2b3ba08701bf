"""RPC that reports itself unhealthy, or aborts long calls: everything is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.simulator.chain.operations import Operation, Proposal
from services.indexer import metrics
from services.indexer.sources.ledger_range import cursor_before
from services.indexer.sources.rpc import polling
from services.indexer.sources.rpc.span import MAX_LEDGERS, LedgerSpan
from shared.chain.errors import SourceError
from shared.chain.rpc import RpcClient, RpcError
from shared.domain.position import toid
from tests.indexer.simulated import Read, Sim, simulated
from tests.indexer.sources.rpc.test_source import ledgers, verdicts
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(30)
START = toid(3_700_000)
Call = dict[str, Any]


@pytest.fixture
async def sim() -> AsyncIterator[Sim]:
    async with simulated(ledgers=60) as made:
        yield made


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """The parameters of each getEvents call with filters."""
    made: list[Call] = []
    call = RpcClient.call

    async def noted(self: RpcClient, method: str, **params: object) -> Any:
        if method == "getEvents" and "filters" in params:
            made.append(params)
        return await call(self, method, **params)

    monkeypatch.setattr(RpcClient, "call", noted)
    return made


def spans(calls: list[Call]) -> list[int]:
    """The number of ledgers of each call that names its last ledger."""
    return [each["endLedger"] - each["startLedger"] for each in calls if "endLedger" in each]


@pytest.mark.parametrize("age", [0, 45])
async def test_an_unhealthy_server_is_read(sim: Sim, age: int) -> None:
    """GetHealth is an error while the tip is old; getEvents answers."""
    await sim.arm("unhealthy", surface="getHealth", times=1000, seconds=age)
    source = sim.rpc()
    assert await source.ledgers() == ledgers(sim)
    cursor = await source.start("earliest")
    assert await source.start("latest") == toid(ledgers(sim)[1] + 1)
    read = await Read(cursor).up_to(sim.tip, source)
    sim.close(2)
    await read.up_to(sim.tip, source)
    assert read.positions == sim.positions()
    assert not read.kinds
    assert await source.hash_of(3_700_003)


async def test_get_health_is_called_if_the_error_names_no_range(
    sim: Sim, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = RpcClient.call

    async def worded(self: RpcClient, method: str, **params: object) -> Any:
        try:
            return await call(self, method, **params)
        except RpcError as error:
            raise RpcError(method, error.code, "too old") from error

    healthy = sim.rpc()
    monkeypatch.setattr(RpcClient, "call", worded)
    assert await healthy.ledgers() == ledgers(sim)


async def test_an_old_tip_is_noted_and_reading_continues(
    sim: Sim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "_closed_at", 0.0)
    assert metrics.old_ledger_note(1.0) is None
    closed = sim.network.chain.latest.closed_at
    async with aclosing(sim.rpc().batches(cursor_before(ledgers(sim)[1] + 1))) as batches:
        waiting = asyncio.ensure_future(anext(batches))  # no new ledger: the network has stopped
        await until(lambda: metrics.old_ledger_note(closed + 31), what="the last ledger")
        assert metrics.old_ledger_note(closed + 30) is None
        assert "closed 31 s ago" in str(metrics.old_ledger_note(closed + 31))
        sim.close()
        await waiting


# ── a processing limit ──


@pytest.mark.parametrize("limit", [1, 2, 7, 30])
async def test_a_span_that_is_too_large_is_halved_until_a_call_succeeds(
    sim: Sim, limit: int, calls: list[Call]
) -> None:
    await sim.arm("processing_limit", surface="getEvents", after=limit, times=10_000)
    read = await asyncio.wait_for(Read(START).up_to(sim.tip, sim.rpc()), 20)
    assert not read.kinds
    assert read.positions == sim.positions()
    assert verdicts(read) == {True}
    assert (
        len([each for each in calls if "endLedger" not in each]) <= 2
    )  # the first call, and the one at the tip
    asked = spans(calls)
    first = next(span for span in asked if span <= limit)
    assert asked[: asked.index(first) + 1] == sorted(asked[: asked.index(first) + 1], reverse=True)
    assert first > limit // 2 - 1, "halved no further than needed"


async def test_the_span_grows_again_after_successes(sim: Sim, calls: list[Call]) -> None:
    """A limit that is gone soon costs nothing; a limit that stays is only tried now and then."""
    await sim.arm("processing_limit", surface="getEvents", after=2, times=10)
    source = sim.rpc()
    read = await Read(START).up_to(sim.tip, source)
    assert read.positions == sim.positions()
    widths = spans(calls)
    assert max(widths[widths.index(min(widths)) :]) >= 2 * min(widths)
    for _ in range(200):
        source._poller._span.succeeded()
    assert not source._poller._span.is_limited


async def test_the_span_is_halved_after_our_own_time_out_too(sim: Sim, calls: list[Call]) -> None:
    await sim.arm("processing_limit", surface="getEvents", after=20, times=10_000, seconds=9)
    read = await Read(START).up_to(sim.tip, sim.rpc(seconds=3))
    assert not read.kinds
    assert read.positions == sim.positions()
    assert max(spans(calls)) <= 31


@pytest.mark.parametrize("fault", ["504", "hang", "error", "slow"])
async def test_each_kind_of_time_out_halves_the_span(
    sim: Sim, fault: str, calls: list[Call]
) -> None:
    source = sim.rpc(seconds=3)  # long enough for every other call on a busy machine
    async with aclosing(source.batches(cursor_before(ledgers(sim)[1] - 30))) as batches:
        first = await anext(batches)
        sim.close(20)
        await sim.arm(fault, surface="getEvents", seconds=0.7 if fault == "slow" else 0)
        assert (await anext(batches)).cursor > first.cursor
    assert spans(calls)
    read = await Read(START).up_to(sim.tip, source)
    assert read.positions == sim.positions()
    assert not await sim.unspent()


async def test_a_single_ledger_that_cannot_be_read_is_named(sim: Sim, calls: list[Call]) -> None:
    await sim.arm("processing_limit", surface="getEvents", after=0, times=10_000)
    ledger = ledgers(sim)[0]
    source = sim.rpc()
    message = f"rpc_timeout: getEvents fails even for ledger {ledger} alone: .*-32001"
    for _ in range(2):
        with pytest.raises(SourceError, match=message):
            await anext(source.batches(cursor_before(ledger)))
    assert spans(calls)[-2:] == [1, 1], "and it is not begun again with a wide span"
    await sim.ask("DELETE", "faults")
    read = await Read(cursor_before(ledger)).up_to(sim.tip, source)
    assert read.positions == sim.positions()


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_full_pages_within_a_bounded_span(
    sim: Sim, size: int, calls: list[Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call begins at the start of the cursor's ledger, so one ledger may fill a page."""
    monkeypatch.setattr(polling, "_PAGE", size)
    for _ in range(6):
        sim.network.submit(Proposal(operations=tuple(Operation(op="emit") for _ in range(4))))
    sim.close(10)
    await sim.arm("processing_limit", surface="getEvents", after=2, times=10_000)
    read = await asyncio.wait_for(Read(START).up_to(sim.tip, sim.rpc()), 25)
    assert not read.kinds
    assert read.positions == sim.positions()
    assert {each["pagination"]["limit"] for each in calls} <= {size, polling._MAX_PAGE}


async def test_a_cursor_inside_a_ledger_continues_inside_it(sim: Sim) -> None:
    """Another source stopped in the middle of a ledger."""
    await sim.arm("processing_limit", surface="getEvents", after=3, times=10_000)
    tx = [t.toid for ledger in range(3_700_000, 3_700_020) for t in _transactions(sim, ledger)]
    for cursor in tx[:12]:
        read = await Read(cursor).up_to(sim.tip, sim.rpc())
        assert read.positions == sim.positions(after=cursor)


def _transactions(sim: Sim, ledger: int) -> Any:
    [found] = sim.network.chain.ledgers(ledger, ledger + 1)
    return found.transactions


async def test_the_span_is_halved_at_the_tip_after_a_pause(sim: Sim, calls: list[Call]) -> None:
    """The process stood still, so its last known tip is old."""
    source = sim.rpc()
    async with aclosing(source.batches(cursor_before(ledgers(sim)[1]))) as batches:
        seen = (await anext(batches)).cursor
        await sim.arm("processing_limit", surface="getEvents", after=4, times=10_000)
        sim.close(40)
        while seen < sim.tip:
            seen = (await anext(batches)).cursor
    assert max(spans(calls)) <= 20


@pytest.mark.parametrize(
    ("code", "message", "is_too_large"),
    [
        (-32001, "request exceeded processing limit threshold", True),
        (-32603, "context deadline exceeded", True),
        (-32000, "query timed out", True),
        (-32005, "ledger range too large", True),
        (-32600, "startLedger must be within the ledger range: 5 - 9", False),
        (-32602, "limit must not exceed 10000", False),
        (-32005, "too many requests", False),
        (-32603, "sick", False),
    ],
)
def test_which_errors_mean_that_the_request_was_too_large(
    code: int, message: str, is_too_large: bool
) -> None:
    assert RpcError("getEvents", code, message).is_too_large is is_too_large


@given(st.lists(st.one_of(st.none(), st.integers(1, 20_000))))
def test_a_span_stays_in_its_bounds_and_always_ends_at_one(asked: list[int | None]) -> None:
    span = LedgerSpan()
    for each in asked:
        wide = span.ledgers
        if each is None:
            span.succeeded()
            assert wide <= span.ledgers <= 2 * wide
        else:
            assert span.failed(each) is (min(each, wide) > 1)
            assert span.ledgers == max(1, min(each, wide) // 2)
        assert 1 <= span.ledgers <= MAX_LEDGERS
    assert sum(1 for _ in iter(lambda: span.failed(MAX_LEDGERS), False)) <= 14
    assert span.ledgers == 1
