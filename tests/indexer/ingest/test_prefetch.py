"""Prefetching: nothing lost, the same order, joined up to a limit, errors in their place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.indexer.ingest.prefetch import join_batches, prefetch
from services.indexer.sources.base import Batch
from shared.chain.errors import SourceError
from shared.domain.events import Event, EventType
from shared.domain.position import Position, toid
from tests.support.waiting import until


async def turn() -> None:
    """Let other tasks run."""
    asyncio.get_running_loop().call_soon((turned := asyncio.Event()).set)
    await turned.wait()


def batch(ledger: int, events: int = 1, *, closed: str | None = "2026-02-02T02:40:00Z") -> Batch:
    made = [
        Event(EventType.CHAIN_UNKNOWN, None, 0, {}, Position(toid(ledger, 1), n))
        for n in range(events)
    ]
    return Batch(made, [{"n": ledger}], toid(ledger + 1), ledger, closed, ledger + 9)


class Script:
    """A source of these batches, then of an error if there is one; counts its reads."""

    def __init__(self, batches: Sequence[Batch], error: Exception | None = None) -> None:
        self.batches, self.error = batches, error
        self.given = 0
        self.closed = False

    async def read(self) -> AsyncGenerator[Batch]:
        try:
            for each in self.batches:
                self.given += 1
                yield each
                await turn()
            if self.error:
                raise self.error
        finally:
            self.closed = True


@given(st.lists(st.integers(0, 300), max_size=40), st.booleans())
def test_batches_come_in_order_and_bounded_and_the_error_comes_last(
    sizes: list[int], fails: bool
) -> None:
    batches = [batch(n + 1, size) for n, size in enumerate(sizes)]
    script = Script(batches, SourceError("cut", "off") if fails else None)
    found: list[Batch] = []

    async def run() -> None:
        async for each in prefetch(script.read()):
            found.append(each)
            for _ in range(len(each.events) % 4):
                await turn()

    if fails:
        with pytest.raises(SourceError, match="cut: off"):
            asyncio.run(run())
    else:
        asyncio.run(run())
    assert [e.position for b in found for e in b.events] == [
        e.position for b in batches for e in b.events
    ]
    assert [letter for b in found for letter in b.dead] == [x for b in batches for x in b.dead]
    assert all(len(b.events) <= 500 for b in found)
    assert [b.cursor for b in found][-1:] == [b.cursor for b in batches][-1:]
    assert script.closed


async def test_reading_continues_during_a_commit_up_to_the_limit() -> None:
    script = Script([batch(n, 400) for n in range(1, 101)])
    async with aclosing(prefetch(script.read())) as batches:
        await anext(batches)
        await until(lambda: script.given >= 8)
        assert script.given <= 12
    assert script.closed


async def test_an_abandoned_source_is_closed_at_once() -> None:
    script = Script([batch(n) for n in range(1, 101)])
    batches = prefetch(script.read())
    await anext(batches)
    await until(lambda: script.given >= 8)
    async with asyncio.timeout(0.5):
        await batches.aclose()
    assert script.closed


def test_a_joined_batch_has_the_last_known_close() -> None:
    joined = join_batches([batch(1, 2), batch(2, 3), batch(3, 0, closed=None)])
    assert len(joined.events) == 5
    assert (joined.cursor, joined.ledger, joined.latest) == (toid(4), 2, 12)
    assert joined.closed_at == "2026-02-02T02:40:00Z"
    assert join_batches([batch(7, 0, closed=None)]) == batch(7, 0, closed=None)
