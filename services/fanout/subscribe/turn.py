"""Lets many coroutines work one after the other, with live events in between."""

from __future__ import annotations

import asyncio


class Turn:
    """A lock for `async with`. It is kept for one more iteration of the event loop.

    So the work under this lock is done for one coroutine in each iteration, also if it contains no
    await. The others wait in the order in which they came.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> None:
        await self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        try:
            await asyncio.sleep(0)
        finally:
            self._lock.release()
