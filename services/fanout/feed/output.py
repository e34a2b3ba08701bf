"""What the feed calls when it has read something. No function of it awaits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.fanout.feed.failover import LostEvents
from services.fanout.feed.recent import RecentItem
from shared.domain.position import Position


@dataclass(frozen=True, slots=True)
class FeedOutput:
    """`publish` gets each event, and `flush` is called after the events of one read.

    `gap` gets each gap in the journal: the positions before and at its end. `publish` and `gap`
    also get the lowest epoch that has not seen the event or gap (see feed.failover). `loss` gets
    the events that stay lost.
    """

    publish: Callable[[RecentItem, int], None]
    flush: Callable[[], None]
    gap: Callable[[Position, Position, int], None]
    loss: Callable[[LostEvents], None]
