"""The heartbeat: sends `sync` to every subscriber in turn, and ends stalled connections.

The turn of a connection depends on its descriptor. So heartbeats are spread evenly over the
interval instead of being sent all at once.

See docs/decisions/0021-expiry-without-a-list.md,
docs/decisions/0036-api-waits-after-a-failover.md.
"""

from __future__ import annotations

import asyncio
import time

from services.fanout import metrics, sse
from services.fanout.connections.broadcaster import Broadcaster
from services.fanout.connections.expiry import ConnectionExpiry
from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.connections.subscriber import Subscriber
from services.fanout.feed.feed import Feed
from shared.redis.clock import RedisClock

_TICK = 0.25
"""Seconds between turns. With 10,000 connections and `sync` every 15 s, a turn is 167 writes."""


def lag_seconds(closed_at: float | None, now: float | None) -> float | None:
    """Seconds since the close of a ledger. None if the close or the current time is unknown."""
    if closed_at is None or now is None:
        return None
    return max(0.0, now - closed_at)


class Heartbeat:
    """One task that sends all heartbeats. A timer for each connection would cost memory."""

    def __init__(
        self,
        feed: Feed,
        registry: SubscriberRegistry,
        broadcaster: Broadcaster,
        expiry: ConnectionExpiry,
        clock: RedisClock,
        *,
        seconds: float,
    ) -> None:
        self._clock = clock
        self._feed = feed
        self._registry = registry
        self._broadcaster = broadcaster
        self._expiry = expiry
        self._parts = max(1, round(seconds / _TICK))
        self._tick = seconds / self._parts
        self._part = 0

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(self._tick)
            metrics.LOOP_LAG.set(max(0.0, time.monotonic() - began - self._tick))
            self.tick()

    def tick(self) -> None:
        """One turn: send `sync` to this turn's share of the subscribers.

        `sync` says that all events up to its position were sent, so it is queued after these
        events. A client that is still replaying gets a `sync` without a position: the replay may
        find no event for this client for a long time, and gateways and clients close a silent
        connection.
        """
        self._registry.check_slow()
        self._expiry.tick()
        self._part = (self._part + 1) % self._parts
        turn = self._registry.slice(self._part, self._parts)
        self._expiry.schedule_due(turn)
        live = [s for s in turn if s in self._registry.hub]
        replaying = [s for s in turn if s not in self._registry.hub]
        self._send_sync(live, replaying)

    def _send_sync(self, live: list[Subscriber], replaying: list[Subscriber]) -> None:
        """Queue one frame for the live subscribers and one for those that are replaying."""
        tip = self._feed.tip
        ledger, closed_at = (tip.ledger, tip.closed_at) if tip else (None, None)
        lag = lag_seconds(closed_at, self._clock.now())
        metrics.LAG.set(lag or 0)
        position = self._feed.position if self._feed.is_complete else None
        for subscribers, up_to in ((live, position), (replaying, None)):
            if subscribers:
                self._broadcaster.send_to(subscribers, sse.sync(up_to, ledger, closed_at, lag))
