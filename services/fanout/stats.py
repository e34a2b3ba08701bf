"""Statistics of one replica: `GET /v1/events/stats`, for admins."""

from __future__ import annotations

from services.fanout.connections.heartbeat import lag_seconds
from services.fanout.connections.limits import ConnectionLimits
from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.feed.feed import Feed
from shared.redis.clock import RedisClock


def stats(
    feed: Feed, crowd: SubscriberRegistry, leases: ConnectionLimits, clock: RedisClock
) -> dict[str, object]:
    """What this process holds and how far it is."""
    head = feed.head
    lag = lag_seconds(head.closed_at if head else None, clock.now())
    return {
        "connections": crowd.count,
        "live": len(crowd.hub),
        "subscriptions": crowd.hub.subscriptions,
        "backlogBytes": crowd.backlog_now,
        "leases": len(leases),
        "position": str(feed.position),
        "journalTop": str(head.top) if head else None,
        "ledger": head.ledger if head else None,
        "lagSeconds": None if lag is None else round(lag, 1),
        "ringEvents": len(feed.ring),
        "ringFrom": str(feed.ring.floor),
        "trouble": feed.trouble,
    }
