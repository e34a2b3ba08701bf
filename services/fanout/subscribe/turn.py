"""Lets many coroutines work one after the other. Live events are served in between."""

from __future__ import annotations

import asyncio


class Turn:
    """A lock for `async with`. It is kept for one more iteration of the event loop.

    So in each iteration only one coroutine works under this lock, even if its work contains no
    await. The others wait in the order in which they asked.
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
