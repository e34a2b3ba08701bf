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
from shared.webhooks.state import EndpointState

_EVERY_SECONDS = 5.0


async def measure_endpoints(registry: EndpointRegistry, clock: RedisClock) -> None:
    """Measure until cancelled."""
    while True:
        _measure(registry, clock.now())
        await asyncio.sleep(_EVERY_SECONDS)


def _measure(registry: EndpointRegistry, now: float | None) -> None:
    counts: Counter[EndpointState] = Counter(state_of(held) for held in registry)
    for state in EndpointState:
        metrics.ENDPOINTS.labels(state).set(counts[state])
    oldest = min(filter(None, map(_oldest, registry)), key=_place, default=None)
    lag = 0.0 if oldest is None or now is None else now - times_of(oldest).published_at
    metrics.LAG.set(max(0.0, lag))


def state_of(held: HeldEndpoint) -> EndpointState:
    """What an endpoint does."""
    if held.progress.disabled:
        return EndpointState.DISABLED
    if not held.endpoint.enabled:
        return EndpointState.PAUSED
    return EndpointState.FAILING if held.progress.failures else EndpointState.ACTIVE


def _oldest(held: HeldEndpoint) -> JournalEntry | None:
    return held.deliveries.oldest if held.deliveries else None


def _place(entry: JournalEntry) -> tuple[int, int]:
    return parse_position(entry.position)
