"""Logs one structured line for each connection that ends, but at most 50 lines a second."""

from __future__ import annotations

import time

import structlog

from services.fanout.connections.subscriber import Subscriber
from services.fanout.jitter import TokenBucket

log = structlog.get_logger()

_LINES_PER_SECOND = 50


class ConnectionLog:
    """Logs which connection ended, how long it lived, what it received and why it ended."""

    def __init__(self) -> None:
        self._rate = TokenBucket(_LINES_PER_SECOND)
        self._suppressed = 0

    def log(self, subscriber: Subscriber, topics: int, reason: str) -> None:
        """Log the end of a connection.

        Above the limit of lines a second, only count it. The next line shows the count.
        """
        now = time.monotonic()
        if not self._rate.take(now):
            self._suppressed += 1
            return
        suppressed, self._suppressed = self._suppressed, 0
        log.info(
            "connection_ended",
            subject=subscriber.principal.account or None,
            topics=topics,
            seconds=round(now - subscriber.joined_at, 1),
            events=subscriber.events,
            reason=reason,
            not_logged_before=suppressed,
        )
