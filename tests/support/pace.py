"""Deliberate pauses: the duration of a fault, the interval of a load.

Never to wait for something to happen: that is `tests.support.waiting`.
"""

from __future__ import annotations

import asyncio


async def last(seconds: float) -> None:
    """Wait this many seconds."""
    await asyncio.sleep(seconds)
