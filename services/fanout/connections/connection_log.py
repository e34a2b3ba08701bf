"""Logs one structured line when a connection ends, and only a sample when many end at once."""

from __future__ import annotations

import time

import structlog

from services.fanout.connections.subscriber import Subscriber
from services.fanout.jitter import Rate

log = structlog.get_logger()

_LINES_PER_SECOND = 50


class ConnectionLog:
    """Logs which connection ended, how long it lived, what it received and why it ended."""

    def __init__(self) -> None:
        self._rate = Rate(_LINES_PER_SECOND)
        self._silent = 0

    def log(self, subscriber: Subscriber, topics: int, reason: str) -> None:
        """Write the line, or count it for the next line."""
        now = time.monotonic()
        if not self._rate.allows(now):
            self._silent += 1
            return
        silent, self._silent = self._silent, 0
        log.info(
            "connection_ended",
            subject=subscriber.principal.account or None,
            topics=topics,
            seconds=round(now - subscriber.joined_at, 1),
            events=subscriber.events,
            reason=reason,
            not_logged_before=silent,
        )
