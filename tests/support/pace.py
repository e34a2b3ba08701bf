"""Time that passes on purpose: how long a fault lasts, how often a load acts.

Never to wait for something to happen: that is `tests.support.waiting`.
"""

from __future__ import annotations

import asyncio


async def last(seconds: float) -> None:
    """Let that much time pass."""
    await asyncio.sleep(seconds)
