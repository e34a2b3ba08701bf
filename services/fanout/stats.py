"""Statistics of one replica: `GET /v1/events/stats`, for admins."""

from __future__ import annotations

from services.fanout.connections.heartbeat import lag_seconds
from services.fanout.connections.limits import ConnectionLimits
from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.feed.feed import Feed
from shared.redis.clock import RedisClock


def stats(
    feed: Feed, registry: SubscriberRegistry, limits: ConnectionLimits, clock: RedisClock
) -> dict[str, object]:
    """The connections, limits and recent events of this process, and the state of its feed.

    `trouble` says why the feed may be behind; null if nothing is wrong. `lagSeconds` is null while
    the time of Redis, or the close of the last ledger, is not known.
    """
    tip = feed.tip
    lag = lag_seconds(tip.closed_at if tip else None, clock.now())
    return {
        "connections": registry.count,
        "live": len(registry.hub),
        "subscriptions": registry.hub.subscriptions,
        "backlogBytes": registry.slow.backlog_now,
        "leases": len(limits),
        "position": str(feed.position),
        "journalTop": str(tip.top) if tip else None,
        "ledger": tip.ledger if tip else None,
        "lagSeconds": None if lag is None else round(lag, 1),
        "ringEvents": len(feed.recent),
        "ringFrom": str(feed.recent.floor),
        "trouble": feed.lag_reason,
    }
