"""The replay sends the missed events, then makes the subscriber live. None is lost or repeated.

The replay runs in the request's coroutine and waits for slow clients. Missed events are sent in
chunks, from the journal and then from memory. The last step reads the recent events, writes
the missing ones and joins the hub, without an await in between, so no event can be missed.

See docs/decisions/0052-reset-for-lost-api-events.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from services.fanout import metrics, sse
from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.connections.subscriber import Subscriber
from services.fanout.feed.feed import Feed
from services.fanout.sse import event_frame
from shared.domain.position import START, Position, parse_position
from shared.domain.topics import Subscription
from shared.domain.topics import matches as topics_match
from shared.journal.reader import JournalGap, JournalPage, NoNewEvents
from shared.journal.wire import JournalEntry

_PAGE = 500
_LOST = "Redis lost the event with this id in a failover"
_OUTCOMES = {name: metrics.REPLAYS.labels(name) for name in ("ring", "journal", "gap", "reset")}
_INCOMPLETE = ("gap", "reset")


class Replay:
    """Sends one subscriber the events after its position, then makes it live.

    `max_events` limits the journal entries that are read, `max_seconds` the time. When a limit is
    reached, the subscriber gets `gap`.
    """

    def __init__(
        self,
        feed: Feed,
        registry: SubscriberRegistry,
        subscriber: Subscriber,
        subscription: Subscription,
        *,
        max_events: int,
        max_seconds: float,
    ) -> None:
        self._feed = feed
        self._registry = registry
        self._subscriber = subscriber
        self._subscription = subscription
        self._max_events = max_events
        self._max_seconds = max_seconds
        self._chunk = registry.backlog_bytes // 2
        self._read = 0
        self._outcome = "ring"
        self._asked = START

    async def run(self, position: Position, first: bytes) -> None:
        """Send `first` and the missed events, in one write if memory has them.

        Raises ConnectionError when the subscriber disconnected, and the errors of Redis.
        """
        self._asked = position
        if self._was_lost(position):
            self._write(first)
            position, first = self._reset(self._feed.recent.before(position), _LOST), b""
        if not self._join(position, first):
            self._write(first)
            await self._catch_up(position)
        if self._outcome not in _INCOMPLETE:
            _OUTCOMES[self._outcome].inc()
        metrics.REPLAY_LENGTH.observe(self._subscriber.events)

    async def _catch_up(self, position: Position) -> None:
        deadline = asyncio.get_running_loop().time() + self._max_seconds
        while not self._join(position):
            here = self._feed.position
            if position > here:
                position = await self._above_journal_tip(position)
            elif (frames := self._from_memory(position)) is not None:
                await self._send(frames)
                position = here
            elif self._read >= self._max_events or asyncio.get_running_loop().time() > deadline:
                position = self._send_gap(position)
            else:
                position = await self._from_journal(position)

    def _join(self, position: Position, first: bytes = b"") -> bool:
        """Send the remaining events and go live, without an await.

        False if memory lacks some of these events, or if they are larger than a chunk.
        """
        frames = self._from_memory(position)
        if frames is None or (len(frames) > 1 and sum(map(len, frames)) > self._chunk):
            return False
        self._write(b"".join((first, *frames)))
        self._count(len(frames))
        self._registry.go_live(
            self._subscriber, self._subscription.topics, self._feed.failover.epoch
        )
        return True

    def _from_memory(self, position: Position) -> list[bytes] | None:
        """The frames of the events after `position`. None if memory does not reach back so far."""
        items = self._feed.recent.after(position, self._subscription.topics)
        if items is None:
            return None
        return [item.frame for item in items if self._subscriber.wants(item.entry)]

    async def _from_journal(self, position: Position) -> Position:
        """Send a page of the journal. Returns the position from which the replay continues."""
        if self._outcome == "ring":
            self._outcome = "journal"
        limit = min(_PAGE, self._max_events - self._read)
        match await self._feed.reader.after(position, limit):
            case NoNewEvents():
                # Redis lost the entries after `position`, or they came into memory meanwhile.
                floor = self._feed.recent.floor
                if position == START and self._begins_at(floor):
                    return floor
                return position if position >= floor else self._send_gap(position)
            case JournalGap(resumes_after):
                self._send_notice("gap", sse.gap(position, resumes_after))
                return resumes_after
            case JournalPage(entries) if self._skips_lost(position, entries[0]):
                return self._reset(parse_position(entries[0].previous), _LOST)
            case JournalPage(entries):
                self._read += len(entries)
                await self._send([event_frame(e) for e in entries if self._is_wanted(e)])
                return parse_position(entries[-1].position)

    def _is_wanted(self, entry: JournalEntry) -> bool:
        return self._subscriber.wants(entry) and topics_match(
            self._subscription.topics, entry.topics
        )

    async def _above_journal_tip(self, position: Position) -> Position:
        """Read the journal up to `position`, which is above the feed's. Returns where to continue.

        If the journal ends before `position`, the subscriber gets `reset`.
        """
        if await self._feed.reach(position):
            return position
        why = f"position {position} is above the end of the journal"
        return self._reset(self._feed.position, why)

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
        return (
            position.by_clock
            and recent.floor < position < recent.top
            and str(position) not in recent
        )

    def _skips_lost(self, position: Position, first: JournalEntry) -> bool:
        """True if the journal shows that the API event with this position was lost.

        `first`, the next entry of the journal, then names another position as its previous one.
        """
        return position == self._asked and position.by_clock and first.previous != str(position)

    def _reset(self, position: Position, why: str) -> Position:
        """Send `reset`: the client loads its state again and continues from this position."""
        self._subscriber.since = position
        self._send_notice("reset", sse.reset(position, why))
        return position

    def _send_gap(self, position: Position) -> Position:
        """Send `gap` up to the oldest event in memory: too much is missing for one resume."""
        floor = self._feed.recent.floor
        self._send_notice("gap", sse.gap(position, floor))
        return floor

    def _send_notice(self, outcome: str, frame: bytes) -> None:
        """Send `gap` or `reset`. Count it now, because many pages then reload and disconnect."""
        if self._outcome not in _INCOMPLETE:
            _OUTCOMES[outcome].inc()
            self._outcome = outcome
        self._write(frame)

    async def _send(self, frames: list[bytes]) -> None:
        """Write in chunks that the backlog can hold, as fast as the client accepts them."""
        for chunk in _chunks(frames, self._chunk):
            self._write(chunk)
            await asyncio.sleep(0)
            await self._subscriber.drained()
        self._count(len(frames))

    def _count(self, events: int) -> None:
        self._subscriber.events += events
        metrics.REPLAYED.inc(events)

    def _write(self, data: bytes) -> None:
        if data and not self._registry.send(self._subscriber, data):
            raise ConnectionResetError("the subscriber disconnected during its replay")


def _chunks(frames: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Whole frames, joined into chunks of at most `size` bytes. A longer frame is one chunk."""
    chunk: list[bytes] = []
    length = 0
    for frame in frames:
        if chunk and length + len(frame) > size:
            yield b"".join(chunk)
            chunk, length = [], 0
        chunk.append(frame)
        length += len(frame)
    if chunk:
        yield b"".join(chunk)
