"""The replay sends the missed events, then makes the subscriber live. None is lost or repeated.

The replay runs in the request's coroutine and waits for slow clients. Missed events are sent in
chunks, from the history and then from memory. The last step reads the recent events, writes the
missing ones and joins the hub, without an await in between, so no event can be missed.

Many replays must not delay live events. So a replay works in pieces of at most a millisecond, and
the `turn` lets one replay work in each iteration of the event loop.

See docs/decisions/0052-reset-for-lost-api-events.md,
docs/decisions/0069-reads-are-bounded-in-bytes.md,
docs/decisions/0124-journal-and-archive-are-one-history.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from services.fanout import metrics, sse
from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.connections.subscriber import Subscriber
from services.fanout.feed.feed import Feed
from services.fanout.frame import EventFrame
from services.fanout.settings import FanoutSettings
from services.fanout.subscribe.notices import ReplayNotices
from services.fanout.subscribe.turn import Turn
from shared.domain.position import START, Position, parse_position
from shared.domain.topics import Subscription
from shared.domain.topics import matches as topics_match
from shared.journal.pages import next_page
from shared.journal.read_size import ReadSize
from shared.journal.reader import JournalGap, JournalPage, NoNewEvents, Page
from shared.journal.wire import JournalEntry

_PIECE = 500
"""Events in memory that are looked at in one piece of work."""
_PAGE_BYTES = 1 << 18
_CHUNK_BYTES = 1 << 16
"""Bytes of one write: about as many as the kernel accepts from a client that reads."""
_LOST = "Redis lost the event with this id in a failover"


class ResumeLimitError(Exception):
    """One resume has read enough. The client continues from its position on a new connection."""


class Replay:
    """Sends one subscriber the events after its position, then makes it live.

    REPLAY_EVENTS limits the entries that are read. REPLAY_SECONDS limits the time in which the
    replay waits for its client; waiting for other replays does not count. When a limit is reached,
    the subscriber gets `gap`. With an archive nothing may be missing, so then the connection ends
    and the client continues on a new one. All replays of a process share one `turn`.
    """

    def __init__(
        self,
        feed: Feed,
        registry: SubscriberRegistry,
        subscriber: Subscriber,
        subscription: Subscription,
        turn: Turn,
        *,
        settings: FanoutSettings,
    ) -> None:
        self._feed = feed
        self._registry = registry
        self._subscriber = subscriber
        self._subscription = subscription
        self._settings = settings
        self._notices = ReplayNotices(registry, subscriber)
        self._turn = turn
        self._chunk = min(registry.backlog_bytes // 2, _CHUNK_BYTES)
        self._size = ReadSize()
        self._read = 0
        self._waited = 0.0
        self._asked = START

    async def run(self, position: Position, first: bytes) -> None:
        """Send `first`, which is encoded, and the missed events: in one write if memory has them.

        Raises ConnectionError when the subscriber disconnected, ResumeLimitError, and the errors of
        Redis and of the archive.
        """
        self._asked = position
        if self._was_lost(position):
            self._write(first)
            before = self._feed.recent.before(position)
            position, first = self._notices.reset(before, _LOST), b""
        if not self._join(position, first):
            self._write(first)
            await self._catch_up(position)
        self._notices.count()

    async def _catch_up(self, position: Position) -> None:
        while True:
            async with self._turn:
                if self._join(position):
                    return
            position = await self._step(position)

    async def _step(self, position: Position) -> Position:
        """Send the next missed events. Returns the position from which the replay continues."""
        recent = self._feed.recent
        if position > self._feed.position:
            return await self._above_journal_tip(position)
        if recent.covers(position):
            items = recent.next_after(position, _PIECE)
            await self._send(item.frame for item in items if self._is_wanted(item.entry))
            return items[-1].position if items else position
        limits = self._settings
        if self._read >= limits.replay_events or self._waited > limits.replay_seconds:
            return await self._limit_reached(position)
        return await self._from_journal(position)

    async def _limit_reached(self, position: Position) -> Position:
        """Send `gap`. With an archive, name the position to continue from and end the resume."""
        if not self._feed.server.has_archive:
            return self._send_gap(position)
        self._notices.synced(position)
        await self._subscriber.drained()
        self._notices.count("limit")
        raise ResumeLimitError

    def _join(self, position: Position, first: bytes = b"") -> bool:
        """Send the remaining events and go live, without an await.

        False if memory lacks some of these events, or if they are larger than a chunk.
        """
        frames = self._from_memory(position)
        if frames is None or (len(frames) > 1 and sum(map(len, frames)) > self._chunk):
            return False
        self._write(b"".join((first, *frames)))
        self._count(len(frames))
        topics, epoch = self._subscription.topics, self._feed.failover.epoch
        self._registry.go_live(self._subscriber, topics, epoch)
        return True

    def _from_memory(self, position: Position) -> list[bytes] | None:
        """The encoded events after `position`. None if they are not in memory, or too many."""
        recent = self._feed.recent
        if not recent.covers(position):
            return None
        if (items := recent.after(position, self._subscription.topics, _PIECE)) is None:
            return None
        wants, encoding = self._subscriber.wants, self._subscriber.encoding
        return [item.frame.encoded(encoding) for item in items if wants(item.entry)]

    async def _from_journal(self, position: Position) -> Position:
        """Send a page of the history. Returns the position from which the replay continues."""
        self._notices.from_journal()
        if (before := await self._before_lost(position)) is not None:
            return self._notices.reset(before, _LOST)
        match await self._next_page(position):
            case NoNewEvents():
                # Redis lost the entries after `position`, or they came into memory meanwhile.
                floor = self._feed.recent.floor
                if position == START and self._begins_at(floor):
                    return floor
                kept = position >= floor or await self._feed.server.has(floor)
                return position if kept else self._send_gap(position)
            case JournalGap() if self._notices.too_many_gaps:
                return self._send_gap(position)
            case JournalGap(resumes_after):
                self._notices.gap(position, resumes_after)
                return resumes_after
            case JournalPage(entries, _, end):
                self._read += len(entries)
                self._size.saw(len(entry.body) for entry in entries)
                await self._send(EventFrame(e) for e in entries if self._is_wanted(e))
                return end

    async def _next_page(self, position: Position) -> Page:
        reader, topics = self._feed.reader, self._subscription.topics
        limit = min(self._size.within(_PAGE_BYTES), self._settings.replay_events - self._read)
        return await next_page(reader, topics, position, self._feed.recent.floor, limit)

    def _is_wanted(self, entry: JournalEntry) -> bool:
        return self._subscriber.wants(entry) and topics_match(
            self._subscription.topics, entry.topics
        )

    async def _above_journal_tip(self, position: Position) -> Position:
        """Read the journal up to `position`, which is above the feed's. Returns where to continue.

        If Redis has lost `position`, the subscriber gets `reset`.
        """
        if await self._feed.reach(position):
            return position
        why = f"position {position} is above the end of the journal"
        return self._notices.reset(self._feed.position, why)

    def _begins_at(self, position: Position) -> bool:
        """True if the journal is empty and begins at this position."""
        tip = self._feed.tip
        return tip is not None and tip.empty and tip.began == position

    def _was_lost(self, position: Position) -> bool:
        """True if memory shows that a failover lost the API event with this position.

        Memory then has events before and after the position, but none with this position. For a
        position of the chain this shows no loss, because such a position may have no event.
        """
        recent = self._feed.recent
        inside = recent.floor < position < recent.top
        return position.by_clock and inside and str(position) not in recent

    async def _before_lost(self, position: Position) -> Position | None:
        """The position before the client's, if the journal shows that the API event there was lost.

        The next entry of the journal then names another position as its previous one.
        """
        if position != self._asked or not position.by_clock:
            return None
        match await self._feed.reader.after(position, 1):
            case JournalPage([first]) if first.previous != str(position):
                return parse_position(first.previous)
        return None

    def _send_gap(self, position: Position) -> Position:
        """Send `gap` up to the oldest event in memory: too much is missing for one resume."""
        floor = self._feed.recent.floor
        self._notices.gap(position, floor)
        return floor

    async def _send(self, frames: Iterable[EventFrame]) -> None:
        """Write in chunks. To save memory, make each after the client accepted the previous one."""
        now = asyncio.get_running_loop().time
        async with self._turn:
            encoded = [frame.encoded(self._subscriber.encoding) for frame in frames]
        self._count(len(encoded))
        for chunk in sse.join_frames(encoded or [b""], self._chunk):
            self._write(chunk)
            began = now()
            await self._subscriber.drained()
            self._waited += now() - began

    def _count(self, events: int) -> None:
        self._subscriber.events += events
        metrics.REPLAYED.inc(events)

    def _write(self, data: bytes) -> None:
        self._notices.write(data)
