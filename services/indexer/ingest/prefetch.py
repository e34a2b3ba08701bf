"""Read a limited number of batches in advance while a commit runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from services.indexer.sources.base import Batch
from shared.runtime.tasks import cancel

_BATCHES = 8
_EVENTS = 500
"""Batches are joined up to this many events. A larger commit would block Redis' other clients."""


async def prefetch(batches: AsyncGenerator[Batch]) -> AsyncGenerator[Batch]:
    """Yield the batches. Batches that arrive while the caller commits are joined into one.

    Closes `batches`. If `batches` raises an error, the batches before the error are yielded first.
    """
    queue: asyncio.Queue[Batch | None] = asyncio.Queue(_BATCHES)
    task = asyncio.create_task(_read(batches, queue))
    try:
        next_batch = await queue.get()
        while next_batch:
            waiting = [next_batch]
            next_batch = _take_waiting(queue, waiting)
            yield join_batches(waiting)
            next_batch = next_batch or await queue.get()
        await task
    finally:
        await cancel(task)


def _take_waiting(queue: asyncio.Queue[Batch | None], waiting: list[Batch]) -> Batch | None:
    """Move queued batches to `waiting`, up to _EVENTS events; returns one that does not fit."""
    count = len(waiting[0].events)
    while not queue.empty():
        next_batch = queue.get_nowait()
        if next_batch is None:
            queue.put_nowait(None)  # None marks the end; put it back for the caller's next get
            return None
        if (count := count + len(next_batch.events)) > _EVENTS:
            return next_batch
        waiting.append(next_batch)
    return None


async def _read(batches: AsyncGenerator[Batch], queue: asyncio.Queue[Batch | None]) -> None:
    try:
        async with aclosing(batches):
            async for batch in batches:
                await queue.put(batch)
    except Exception:  # CancelledError is not caught: nobody reads the queue any more
        await queue.put(None)
        raise
    await queue.put(None)


def join_batches(batches: Sequence[Batch]) -> Batch:
    """Join consecutive batches into one."""
    last = batches[-1]
    with_close = next((each for each in reversed(batches) if each.closed_at is not None), last)
    return Batch(
        [event for each in batches for event in each.events],
        [letter for each in batches for letter in each.dead],
        last.cursor,
        with_close.ledger,
        with_close.closed_at,
        last.latest,
    )
