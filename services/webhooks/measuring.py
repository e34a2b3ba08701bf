"""Measures the endpoints every few seconds, for the metrics."""

from __future__ import annotations

import asyncio
from collections import Counter

from services.webhooks import metrics
from services.webhooks.delivering.held import HeldEndpoint
from services.webhooks.delivering.registry import EndpointRegistry
from shared.domain.position import parse_position
from shared.journal.wire import JournalEntry, times_of
from shared.redis.clock import RedisClock
from shared.webhooks.state import EndpointState, state_of

_EVERY_SECONDS = 5.0


async def measure_endpoints(registry: EndpointRegistry, clock: RedisClock) -> None:
    """Measure until cancelled."""
    while True:
        _measure(registry, clock.now())
        await asyncio.sleep(_EVERY_SECONDS)


def _measure(registry: EndpointRegistry, now: float | None) -> None:
    counts: Counter[EndpointState] = Counter(
        state_of(held.endpoint, held.progress) for held in registry
    )
    for state in EndpointState:
        metrics.ENDPOINTS.labels(state).set(counts[state])
    metrics.LAG.set(0.0 if now is None else max(0.0, now - _waits_since(registry, now)))


def _waits_since(registry: EndpointRegistry, now: float) -> float:
    """Since when an event waits, at least, in Unix seconds. `now` if none waits.

    While the history of an endpoint cannot be read, nobody knows the age of its next event.
    """
    running = [held.deliveries for held in registry if held.deliveries]
    times = [each.unread_since for each in running if each.unread_since is not None]
    if oldest := min(filter(None, map(_oldest, registry)), key=_place, default=None):
        times.append(times_of(oldest).published_at)
    return min(times, default=now)


def _oldest(held: HeldEndpoint) -> JournalEntry | None:
    return held.deliveries.oldest if held.deliveries else None


def _place(entry: JournalEntry) -> tuple[int, int]:
    return parse_position(entry.position)
