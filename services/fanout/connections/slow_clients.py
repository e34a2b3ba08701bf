"""Slow clients: subscribers with a backlog, and when they are disconnected.

A client is disconnected when its backlog is larger than BACKLOG_BYTES, or when it accepts no data
for WRITE_SECONDS. When all slow clients together need more than TOTAL_BACKLOG_BYTES, those of the
account that holds the most are disconnected. So slow clients never delay the others and never use
much memory.

See docs/decisions/0071-unsent-bytes-are-bounded.md.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable

from services.fanout import metrics
from services.fanout.connections.subscriber import Subscriber
from services.fanout.reasons import EndReason
from shared.domain.strkeys import account_of_login
from shared.web.problems import Goodbye

_KERNEL_BYTES = 96 << 10
"""What the kernel holds at most for a client that reads nothing. Measured: 88,000 bytes."""
_BURST_SECONDS = 2.0
"""A younger backlog is the end of a burst. Its client does not count as slow yet."""


class SlowClients:
    """The subscribers of one registry that have a backlog.

    `disconnect` ends a connection. `waiting` asks the poller to report when a descriptor is
    writable again.
    """

    def __init__(
        self,
        disconnect: Callable[[Subscriber, EndReason | Goodbye], None],
        waiting: Callable[[int], None],
        *,
        backlog_bytes: int,
        total_backlog_bytes: int,
        write_seconds: float,
    ) -> None:
        self._disconnect = disconnect
        self._waiting = waiting
        self._backlog_bytes = backlog_bytes
        self._total_backlog_bytes = total_backlog_bytes
        self._write_seconds = write_seconds
        self._members: set[Subscriber] = set()

    def add(self, subscriber: Subscriber) -> None:
        """Watch a subscriber that has a backlog. Disconnect it if the backlog is too large."""
        self._members.add(subscriber)
        self._waiting(subscriber.fd)
        if subscriber.backlog_bytes > self._backlog_bytes:
            self._disconnect(subscriber, Goodbye.SLOW)

    def discard(self, subscriber: Subscriber) -> None:
        """Forget a subscriber whose connection has ended."""
        self._members.discard(subscriber)

    def flush(self, subscriber: Subscriber) -> None:
        """Write as much of the backlog as the kernel accepts."""
        try:
            subscriber.flush(time.monotonic())
        except OSError:
            self._disconnect(subscriber, EndReason.GONE)
            return
        if subscriber.backlog is None:
            self._members.discard(subscriber)
        else:
            self._waiting(subscriber.fd)

    def check(self, now: float) -> None:
        """Disconnect the clients that accepted no data for too long, or need too much together.

        The kernel reports a socket as writable only when a third of its buffer is free. A client
        may have read less than that, so try one more write before each disconnect.
        """
        late = now - self._write_seconds
        for subscriber in [s for s in self._members if s.progress_at < late]:
            self.flush(subscriber)
            if subscriber.backlog is not None and subscriber.progress_at < late:
                self._disconnect(subscriber, Goodbye.SLOW)
        self._fit(now - _BURST_SECONDS)
        metrics.BACKLOG.set(self.backlog_now)

    def _fit(self, burst: float) -> None:
        """Disconnect slow clients until all of them fit into TOTAL_BACKLOG_BYTES.

        The account that holds the most comes first, and of its clients the one that has had a
        backlog for the longest time. Clients without a backlog cost nothing here.
        """
        slow = [s for s in self._members if s.behind_since < burst]
        held = sum(map(_held_for, slow))
        if held > self._total_backlog_bytes:
            slow = _by_share(slow)
        while held > self._total_backlog_bytes:
            slowest = slow.pop()
            held -= _held_for(slowest)
            self._disconnect(slowest, Goodbye.SLOW)
        metrics.SLOW.set(held)

    @property
    def backlog_now(self) -> int:
        """Bytes in the backlogs of all subscribers."""
        return sum(s.backlog_bytes for s in self._members)


def _held_for(subscriber: Subscriber) -> int:
    """Bytes that this process and the kernel hold for a slow client."""
    return subscriber.backlog_bytes + _KERNEL_BYTES


def _by_share(slow: Iterable[Subscriber]) -> list[Subscriber]:
    """Sort slow clients: last the account that holds the most, and its oldest backlog."""
    owners = {subscriber: account_of_login(subscriber.principal.account) for subscriber in slow}
    shares: Counter[str] = Counter()
    for subscriber, account in owners.items():
        shares[account] += _held_for(subscriber)
    return sorted(owners, key=lambda s: (shares[owners[s]], -s.behind_since))
