"""After a loss: `reset` to those who were told what is gone, and to nobody else."""

from __future__ import annotations

from services.fanout import sse
from services.fanout.crowd import Crowd
from services.fanout.failover import Gone
from services.fanout.feed import Feed
from services.fanout.outbox import Outbox
from services.fanout.subscriber import Subscriber
from shared.positions import parse_position

_EVENTS = "a failover of Redis lost events that were sent on this connection"
_EVERYTHING = "Redis lost everything"


def void(gone: Gone, feed: Feed, outbox: Outbox, crowd: Crowd) -> None:
    """No await: who is connected now is told, behind what was published to them before."""
    told = _members(gone, feed, crowd)
    if told:
        why = _EVERYTHING if gone.everything else _EVENTS
        outbox.post(told, sse.reset(feed.position, why))


def _members(gone: Gone, feed: Feed, crowd: Crowd) -> set[Subscriber]:
    if gone.everything:
        return {s for s in crowd.everyone() if s in crowd.hub and s.epoch < feed.failover.epoch}
    found = set()
    for epoch, entry in gone.events:
        place = parse_position(entry.position)
        for subscriber in crowd.hub.audience(entry.topics):
            if subscriber.epoch < epoch and subscriber.since < place and subscriber.wants(entry):
                found.add(subscriber)
    return found
