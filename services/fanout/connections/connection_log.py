"""Logs one structured line for each connection that ends."""

from __future__ import annotations

import time

import structlog

from services.fanout.connections.registry import Reason
from services.fanout.connections.subscriber import Subscriber

log = structlog.get_logger()


def log_end(subscriber: Subscriber, topics: int, reason: Reason) -> None:
    """Log which connection ended, how long it lived, what it received and why it ended.

    When many connections end at once for the same reason, `shared.runtime.log_limit` leaves out
    some of these lines.
    """
    log.info(
        "connection_ended",
        subject=subscriber.principal.account or None,
        topics=topics,
        seconds=round(time.monotonic() - subscriber.joined_at, 1),
        events=subscriber.events,
        reason=reason,
    )
