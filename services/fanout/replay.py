"""Resuming: what a client missed, then live, with nothing missed and nothing twice in between.

Replay runs in the handshake's coroutine with ordinary back-pressure. The last step looks into the
ring, writes what is missing and joins the hub, with no await in between: gapless by construction.
"""

from __future__ import annotations

import asyncio

from services.fanout import metrics, sse
from services.fanout.crowd import Crowd
from services.fanout.feed import Feed
from services.fanout.ring import Item
from services.fanout.subscriber import Subscriber
from shared.journal import Events, Gap, Nothing
from shared.positions import Position, parse_position
from shared.topics import Subscription
from shared.topics import matches as topics_match
from shared.wire import Entry, event_frame

_PAGE = 500


class Replay:
    """Brings one subscriber from its position to live."""

    def __init__(
        self,
        feed: Feed,
        crowd: Crowd,
        subscriber: Subscriber,
        subscription: Subscription,
        *,
        max_events: int,
        max_seconds: float,
    ) -> None:
        self._feed = feed
        self._crowd = crowd
        self._subscriber = subscriber
        self._subscription = subscription
        self._max_events = max_events
        self._max_seconds = max_seconds
        self._read = 0

    async def run(self, position: Position) -> None:
        """Raises ConnectionError when the subscriber left meanwhile."""
        deadline = asyncio.get_running_loop().time() + self._max_seconds
        if position > self._feed.position:
            position = await self._from_the_future(position)
        outcome = "ring"
        while not self._join(position):
            outcome = "journal"
            late = asyncio.get_running_loop().time() > deadline
            if self._read >= self._max_events or late:
                position = self._give_up(position)
                outcome = "gap"
                continue
            position = await self._page(position)
            await self._subscriber.drained()
        metrics.REPLAYS.labels(outcome).inc()

    def _join(self, position: Position) -> bool:
        """The last step; False when the ring does not reach back to `position`."""
        items = self._feed.ring.after(position, self._subscription.topics)
        if items is None:
            return False
        self._write([item.frame for item in items if self._wants(item)])
        self._crowd.join(self._subscriber, self._subscription.topics)
        return True

    def _wants(self, item: Item) -> bool:
        return self._subscriber.wants(item.entry.type)

    async def _page(self, position: Position) -> Position:
        """Send a page of the journal; returns the position after it."""
        match await self._feed.journal.after(position, _PAGE):
            case Nothing():  # the journal lost what the feed has: go on from its end
                return self._feed.position
            case Gap(resumes_after):
                self._write([sse.gap(position, resumes_after)])
                return resumes_after
            case Events(entries):
                self._read += len(entries)
                self._write([event_frame(e) for e in entries if self._is_for(e)])
                return parse_position(entries[-1].position)

    def _is_for(self, entry: Entry) -> bool:
        return self._subscriber.wants(entry.type) and topics_match(
            self._subscription.topics, entry.topics
        )

    async def _from_the_future(self, position: Position) -> Position:
        """Another replica was ahead of this one, or the position is of another journal."""
        await self._feed.catch_up()
        if position <= self._feed.position:
            return position
        here = self._feed.position
        self._write([sse.reset(here, f"position {position} is above the journal's top")])
        metrics.REPLAYS.labels("reset").inc()
        return here

    def _give_up(self, position: Position) -> Position:
        """Too much for one resume: an honest gap up to what the ring still has."""
        floor = self._feed.ring.floor
        self._write([sse.gap(position, floor)])
        return floor

    def _write(self, frames: list[bytes]) -> None:
        metrics.REPLAYED.inc(len(frames))
        if frames and not self._crowd.send(self._subscriber, b"".join(frames)):
            raise ConnectionResetError("the subscriber left during its replay")
