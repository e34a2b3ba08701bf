"""Metrics and traces of sent events, updated a few times a second for many events at once.

An update after each event would take a quarter of the CPU time that this process spends on an
event, because an event finds cold CPU caches. Many events in a row share warm caches.

See docs/decisions/0087-events-are-written-when-they-are-read.md.
"""

from __future__ import annotations

import asyncio
import time

from services.fanout import metrics
from services.fanout.connections.heartbeat import lag_seconds
from shared.journal import wire
from shared.redis.clock import RedisClock
from shared.runtime import tracing as traces

_DELAY = 0.25
"""Seconds from an event to the update of the metrics."""
_MOST = 50
"""Events of one update. It takes about 0.5 ms, in which no event is written."""


SentEvent = tuple[wire.JournalEntry, int, int, float]
"""An event, its number of subscribers, bytes of its frame, monotonic time of its last write."""


class DeliveryMetrics:
    """Collects sent events and updates the metrics: for each event, not for each delivery."""

    def __init__(self, clock: RedisClock) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._sent: list[SentEvent] = []

    def sent(self, entry: wire.JournalEntry, reached: int, size: int) -> None:
        """Note that an event was written to all its subscribers."""
        self._sent.append((entry, reached, size, time.monotonic()))
        if len(self._sent) == 1:
            self._loop.call_later(_DELAY, self.update)
        elif len(self._sent) >= _MOST:
            self.update()

    def update(self) -> None:
        """Update the metrics for the events since the last update."""
        sent, self._sent = self._sent, []
        metrics.DELIVERIES.inc(sum(reached for _, reached, _, _ in sent))
        metrics.BYTES.inc(sum(reached * size for _, reached, size, _ in sent))
        now, by_redis, by_machine = time.monotonic(), self._clock.now(), time.time()
        for entry, reached, _, at in sent:
            ago = now - at
            published_at, closed_at = wire.times_of(entry)
            traces.record_delivery(
                entry.position, entry.type, published_at, by_machine - ago, reached
            )
            if by_redis is not None:
                metrics.PUBLISH_TO_WRITE.observe(max(0.0, by_redis - ago - published_at))
                if (lag := lag_seconds(closed_at, by_redis - ago)) is not None:
                    metrics.CLOSE_TO_WRITE.observe(lag)
