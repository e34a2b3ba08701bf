"""The drain: a replica that stops says goodbye to its connections over a period of time.

The clients reconnect to other replicas with their last id. The goodbyes are spread and have random
retry times, so the clients do not all arrive at once.
"""

from __future__ import annotations

import asyncio

from services.fanout import sse
from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.jitter import jittered
from shared.web.problems import Goodbye

_STEP = 0.05
"""Seconds between two groups of goodbyes."""


async def drain(registry: SubscriberRegistry, *, seconds: float, retry_ms: int) -> None:
    """Send `goodbye` to all connections within `seconds`.

    If this is cancelled, `SubscriberRegistry.close` ends the remaining connections.
    """
    subscribers = registry.everyone()
    steps = max(1, round(seconds / _STEP))
    for step in range(steps):
        for subscriber in subscribers[step::steps]:
            if registry.send(subscriber, sse.goodbye(Goodbye.DRAINING, jittered(retry_ms))):
                registry.disconnect(subscriber, Goodbye.DRAINING)
        if step + 1 < steps and registry.count:
            await asyncio.sleep(seconds / steps)
