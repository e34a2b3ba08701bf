"""Lists of ledgers that contradict the stream are read again before the indexer acts on them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import chain, cycle, repeat

import pytest
from aiohttp import web

from deploy.simulator.horizon.transaction_stream import BYEBYE, HELLO
from services.indexer.sources.base import SourceGapError
from services.indexer.sources.horizon.source import HorizonSource
from shared.domain.position import toid
from tests.indexer.handmade import document, meta_v4, proof, result, withdrawn
from tests.indexer.simulated import Read
from tests.indexer.sources.horizon.test_source_odd import horizon_of, wire

pytestmark = [pytest.mark.io, pytest.mark.timeout(20)]
FIRST = 3_700_000
START, END = toid(FIRST), toid(FIRST + 2, 1)

Ledgers = dict[int, int]
"""Number of successful transactions by ledger, counted from FIRST."""
Places = list[tuple[int, int]]
"""Transactions: ledger, counted from FIRST, and order in the ledger."""


def sent(ledger: int, order: int) -> bytes:
    meta = meta_v4([withdrawn()])
    return wire(document(meta, result(proof([withdrawn()])), ledger=FIRST + ledger, order=order))


@asynccontextmanager
async def served(
    streams: Iterable[Places], lists: Iterable[Ledgers], *, latest: int = 9
) -> AsyncIterator[HorizonSource]:
    """A source whose streams and lists come one after the other from these iterators."""
    streams, lists = iter(streams), iter(lists)

    async def stream(request: web.Request) -> web.Response:
        after = int(request.query["cursor"])
        frames = [
            sent(*place) for place in next(streams) if toid(FIRST + place[0], place[1]) > after
        ]
        body = HELLO + b"".join(frames) + BYEBYE
        return web.Response(body=body, content_type="text/event-stream")

    async def ledgers(request: web.Request) -> web.Response:
        after = int(request.query["cursor"])
        assert (request.query["order"], request.query["limit"]) == ("asc", "200")
        records = [
            {"sequence": FIRST + n, "successful_transaction_count": count}
            for n, count in sorted(next(lists).items())
            if toid(FIRST + n) > after
        ]
        return web.json_response({"_embedded": {"records": records}})

    routes = web.get("/transactions", stream), web.get("/ledgers", ledgers)
    async with horizon_of(*routes, latest=FIRST + latest) as source:
        yield source


JUMP: Places = [(0, 1), (2, 1)]
GOOD = {0: 1, 1: 0, 2: 1}


async def test_a_ledger_whose_transactions_did_not_come_is_missing() -> None:
    async with served(repeat(JUMP), repeat(GOOD | {1: 3})) as source:
        read = Read(START)
        with pytest.raises(SourceGapError) as gap:
            await read.up_to(END, source)
    assert (gap.value.first, gap.value.last) == (FIRST + 1, FIRST + 1)
    assert read.kinds == ["missing"]
    assert read.positions == [f"{toid(FIRST, 1)}-0"]


async def test_the_missing_rest_of_a_ledger_is_noticed() -> None:
    async with served(repeat(JUMP), repeat(GOOD | {0: 2})) as source:
        with pytest.raises(SourceGapError) as gap:
            await Read(START).up_to(END, source)
    assert (gap.value.first, gap.value.last) == (FIRST, FIRST)
    assert gap.value.read == toid(FIRST, 1)


async def test_transactions_that_come_on_the_second_read_are_not_missing() -> None:
    whole = [(0, 1), (1, 1), (1, 2), (2, 1)]
    async with served(chain([JUMP], [whole]), repeat(GOOD | {1: 2})) as source:
        read = await Read(START).up_to(END, source)
    assert read.kinds == ["missing"]
    assert len(read.positions) == 4


@pytest.mark.parametrize(("short", "lagging"), [({}, 7), ({0: 1}, 3), ({0: 1, 1: 0}, 0)])
async def test_a_server_that_does_not_list_a_streamed_ledger_lags(
    short: Ledgers, lagging: int
) -> None:
    """Several Horizons behind one address: this is a lag and not a hole, however long it takes."""
    async with served(repeat(JUMP), chain([short] * 7, repeat(GOOD))) as source:
        read = await Read(START).up_to(END, source)
    assert read.kinds == ["behind"] * lagging
    assert len(read.positions) == 2


async def test_the_rest_of_an_unlisted_ledger_is_a_gap() -> None:
    async with served(repeat([(0, 1), (1, 1), (2, 1)]), repeat({0: 1, 2: 1})) as source:
        read = Read(START)
        with pytest.raises(SourceGapError) as gap:
            await read.up_to(END, source)
    assert gap.value.read == toid(FIRST + 1, 1)
    assert (gap.value.first, gap.value.last) == (FIRST + 1, FIRST + 1)
    assert len(read.positions) == 2


async def test_the_rest_of_a_ledger_that_was_trimmed_between_two_connections_is_noticed() -> None:
    """At the tip the next record is of the next ledger, so the gap is hard to see."""
    async with served(chain([[(0, 1)]], repeat([(1, 1)])), repeat({1: 1}), latest=1) as source:
        with pytest.raises(SourceGapError) as gap:
            await Read(START).up_to(END, source)
    assert gap.value.read == toid(FIRST, 1)
    assert (gap.value.first, gap.value.last) == (FIRST, FIRST)


@pytest.mark.parametrize("lists", [cycle([{1: 0, 2: 1}, GOOD]), cycle([{2: 1}, GOOD])])
async def test_ledgers_that_another_server_lists_are_not_missing(lists: Iterable[Ledgers]) -> None:
    """Two Horizons behind one URL take turns; one has a hole or a shorter history."""
    async with served(repeat(JUMP), lists) as source:
        read = await Read(START).up_to(END, source)
    assert read.kinds == []
    assert len(read.positions) == 2


async def test_a_malformed_list_is_requested_again() -> None:
    async with served(repeat(JUMP), chain([{0: "many"}], repeat(GOOD))) as source:  # type: ignore[dict-item]
        read = await Read(START).up_to(END, source)
    assert read.kinds == ["malformed"]
