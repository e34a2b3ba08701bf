"""Logs one structured line for each connection that ends."""

from __future__ import annotations

import time

import structlog

from services.fanout.connections.subscriber import Subscriber

log = structlog.get_logger()


def log_end(subscriber: Subscriber, topics: int, reason: str) -> None:
    """Log which connection ended, how long it lived, what it received and why it ended.

    `shared.runtime.log_limit` writes only some of these lines when many connections end at once.
    """
    log.info(
        "connection_ended",
        subject=subscriber.principal.account or None,
        topics=topics,
        seconds=round(time.monotonic() - subscriber.joined_at, 1),
        events=subscriber.events,
        reason=reason,
    )
