"""Writes that must be stored before the next delivery wait until Redis answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from shared.redis.client import REDIS_UNAVAILABLE
from shared.runtime.tasks import backoff


async def until_redis_answers(call: Callable[[], Awaitable[bool]]) -> bool:
    """Call until Redis answers, and return the answer. Other errors are raised."""
    waits = backoff(0.05, 1.0)
    while True:
        try:
            return await call()
        except REDIS_UNAVAILABLE:
            await asyncio.sleep(next(waits))
