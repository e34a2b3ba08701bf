"""After a loss of data: sends `reset` to the subscribers that had received lost events.

See docs/decisions/0052-reset-for-lost-api-events.md.
"""

from __future__ import annotations

from services.fanout import sse
from services.fanout.connections.broadcaster import Broadcaster
from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.connections.subscriber import Subscriber
from services.fanout.feed.failover import LostEvents
from services.fanout.feed.feed import Feed
from shared.domain.position import parse_position

_EVENTS = "a failover of Redis lost events that were sent on this connection"
_EVERYTHING = "Redis lost everything"


def send_resets(
    lost: LostEvents, feed: Feed, broadcaster: Broadcaster, registry: SubscriberRegistry
) -> None:
    """Send `reset` to the live subscribers that had received lost events.

    The `reset` follows all events that were published before. This function does not await.
    """
    audience = _audience(lost, feed, registry)
    if audience:
        why = _EVERYTHING if lost.everything else _EVENTS
        broadcaster.send_to(audience, sse.reset(feed.position, why))


def _audience(lost: LostEvents, feed: Feed, registry: SubscriberRegistry) -> set[Subscriber]:
    if lost.everything:
        return {
            s for s in registry.everyone() if s in registry.hub and s.epoch < feed.failover.epoch
        }
    audience = set()
    for epoch, entry in lost.events:
        position = parse_position(entry.position)
        for subscriber in registry.hub.audience(entry.topics):
            if subscriber.epoch < epoch and subscriber.since < position and subscriber.wants(entry):
                audience.add(subscriber)
    return audience
