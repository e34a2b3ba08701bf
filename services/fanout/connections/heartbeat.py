"""The heartbeat: sends `sync` to subscribers that are about to be silent for too long.

No connection is silent for longer than SYNC_SECONDS. A connection that has just got an event needs
no `sync`, but each gets at least one in four times SYNC_SECONDS, because `sync` also tells how far
behind the chain the events are. The heartbeat also ends stalled connections.

The turn of a connection depends on its descriptor. So heartbeats are spread evenly over the
interval instead of being sent all at once.

See docs/decisions/0021-expiry-without-a-list.md,
docs/decisions/0036-api-waits-after-a-failover.md,
docs/decisions/0088-events-replace-heartbeats.md.
"""

from __future__ import annotations

import asyncio
import math
import time

from services.fanout import metrics, sse
from services.fanout.connections.broadcaster import Broadcaster
from services.fanout.connections.expiry import ConnectionExpiry
from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.connections.subscriber import Subscriber
from services.fanout.feed.feed import Feed
from shared.redis.clock import RedisClock

_TICK = 0.25
"""Seconds between two checks for slow clients and for connections that must end."""
_TURN_TICKS = 4
"""Ticks of a turn. With 10,000 connections and `sync` every 15 s, a turn is 667 writes.

Many writes in a row cost less CPU time than the same number of writes in several turns.
"""
_ROUNDS_WITHOUT_SYNC = 4
"""A subscriber gets `sync` in one of this many rounds, even if it gets events all the time."""


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
        self._parts = max(1, round(seconds / (_TICK * _TURN_TICKS)))
        self._tick = seconds / self._parts / _TURN_TICKS
        self._ticks = 0
        self._third = math.ceil(self._parts / 3)  # of the turns in a round

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(self._tick)
            metrics.LOOP_LAG.set(max(0.0, time.monotonic() - began - self._tick))
            self.tick()

    def tick(self) -> None:
        """End stalled and expired connections. Every fourth time, also do a turn."""
        self._registry.check_slow()
        self._expiry.tick()
        self._ticks += 1
        if self._ticks % _TURN_TICKS == 0:
            self.turn()

    def turn(self) -> None:
        """Send `sync` to the subscribers that need it.

        `sync` says that all events up to its position were sent, so it is queued after these
        events. A client that is still replaying gets a `sync` without a position: the replay may
        find no event for this client for a long time, and gateways and clients close a silent
        connection.
        """
        number = self._registry.next_turn()
        own = self._registry.slice(number % self._parts, self._parts)
        self._expiry.schedule_due(own)
        due = [*self._due_in_own_turn(own, number), *self._due_between(number)]
        for subscriber in due:
            subscriber.written_in = number  # now, because the writes can be late
        self._send_sync(*self._registry.hub.split(due))

    def _due_in_own_turn(self, own: list[Subscriber], number: int) -> list[Subscriber]:
        """All but those that got data in the last third of the round. Those too in some rounds.

        So after four rounds at most, each idle connection gets `sync` in its own turn.
        """
        recent = number - min(self._third, self._parts - self._third)
        round_ = number // self._parts
        return [
            s for s in own if s.written_in < recent or (s.fd + round_) % _ROUNDS_WITHOUT_SYNC == 0
        ]

    def _due_between(self, number: int) -> list[Subscriber]:
        """Those that would be silent for longer than a round until they are looked at again.

        Each connection is looked at in its own turn, and then after each third of a round.
        """
        due: list[Subscriber] = []
        for passed in range(self._third, self._parts, self._third):
            until_next = min(self._third, self._parts - passed)
            oldest = number + until_next - self._parts
            part = (number - passed) % self._parts
            due += [s for s in self._registry.slice(part, self._parts) if s.written_in < oldest]
        return due

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
