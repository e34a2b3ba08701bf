"""Pages of past events, newest or oldest first, by the filters of a subscription.

Events are read from the journal. Each topic has an index with the positions of its events. The
commit writes this index and trims it with the journal. One call reads a limited number of entries
and about 1 MB. So a page can be short or empty and still have a `next`. If events of a
page's range were trimmed, the `gap` of the page names the missing range.

See docs/decisions/0016-history-by-topic.md,
docs/decisions/0069-reads-are-bounded-in-bytes.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from redis.asyncio import Redis

from shared.domain.position import END, START, Position, parse_position
from shared.domain.topics import ALL, Subscription
from shared.journal.keys import Keys
from shared.journal.read_size import READ_BYTES, ReadSize
from shared.journal.reader import Journal, JournalTip
from shared.journal.topic_index import BROADCASTS, MEMBER_BYTES, TopicIndex
from shared.journal.wire import JournalEntry

MAX_READ = 2000
"""The largest number of entries that are read for one page."""


@dataclass(frozen=True, slots=True)
class PositionRange:
    """A range of positions. Both ends are exclusive."""

    after: Position = START
    before: Position = END

    def up_to(self, position: Position) -> PositionRange:
        """The part of the range up to and including a position."""
        return PositionRange(self.after, min(self.before, Position(position.toid, position.n + 1)))

    @property
    def empty(self) -> bool:
        """True if the range is empty. Do not read such a range: Redis returns an error for it."""
        return self.after >= self.before

    def beyond(self, position: Position, *, newest_first: bool) -> PositionRange:
        """The rest of the range, after everything up to this position was read."""
        if newest_first:
            return PositionRange(self.after, position)
        return PositionRange(position, self.before)


MissingRange = tuple[Position, Position]
"""A range of missing events: after the first position, up to and including the second."""


@dataclass(frozen=True, slots=True)
class EventPage:
    """A page of entries in the order that the client asked for.

    `next` is the position to continue from, None at the end. `top` is the top of the journal at the
    time of the read. A client that subscribes from `top` misses no event and gets none twice. `gap`
    is the smallest range that contains all missing events of the page's range. Entries inside the
    gap that still exist are in the page.
    """

    entries: Sequence[JournalEntry]
    next: Position | None
    top: Position
    gap: MissingRange | None


class _ReadResult(NamedTuple):
    """Entries in the order of the page, None for a missing entry. `is_last`: no entries follow.

    `overhead` is the number of bytes that were read from the topic index.
    """

    rows: Sequence[tuple[Position, JournalEntry | None]]
    missing: list[MissingRange]
    is_last: bool
    overhead: int = 0


class EventHistory:
    """The event history of one namespace."""

    def __init__(self, redis: Redis, keys: Keys, journal: Journal) -> None:
        self._topics = TopicIndex(redis, keys)
        self._journal = journal

    async def page(
        self, wanted: Subscription, within: PositionRange, *, limit: int, newest_first: bool
    ) -> EventPage:
        """A page of at most `limit` events of the range, which together have about 1 MB."""
        tip = await self._journal.tip()
        found: list[JournalEntry] = []
        missing: list[MissingRange] = []
        rest, is_last = within.up_to(tip.top), False
        size, entries, left = ReadSize(), 0, READ_BYTES
        while not is_last and len(found) < limit and entries < MAX_READ and left > 0:
            count = min(size.within(left), MAX_READ - entries)
            if not wanted.types:
                count = min(count, limit - len(found))
            read = await self._read(wanted.topics, rest, count, newest_first)
            missing += read.missing
            is_last = read.is_last
            size.saw(len(entry.body) for _, entry in read.rows if entry)
            for position, entry in read.rows:
                if len(found) == limit or left <= 0:
                    is_last = False
                    break
                entries += 1
                rest = rest.beyond(position, newest_first=newest_first)
                left -= len(entry.body) if entry else 0
                if entry is not None and (not wanted.types or entry.type in wanted.types):
                    found.append(entry)
            left -= read.overhead
        continue_at = None if is_last else (rest.before if newest_first else rest.after)
        old_end = is_last or not newest_first
        gap = await self._gap(tip, within, missing, old_end=old_end and not within.empty)
        return EventPage(found, continue_at, tip.top, gap)

    async def _gap(
        self,
        tip: JournalTip,
        within: PositionRange,
        missing: Sequence[MissingRange],
        *,
        old_end: bool,
    ) -> MissingRange | None:
        """One gap that contains all missing events; None if none is missing.

        `old_end` is True if the page contains the oldest end of its range. Then events that were
        trimmed there count as missing too. If the range begins at START, the time before the
        journal began does not count.
        """
        first = await self._journal.oldest()
        oldest = parse_position(first.previous) if first else tip.top
        # Ignore missing entries before the oldest entry: they were trimmed during the read.
        missing = [gap for gap in missing if gap[1] > oldest]
        for _, last in missing:
            self._journal.count_missing(str(last))
        from_the_start = within.after == START and oldest == tip.began
        if old_end and oldest > within.after and not from_the_start:
            missing.append((within.after, oldest))
        if not missing:
            return None
        return min(gap[0] for gap in missing), max(gap[1] for gap in missing)

    async def _read(
        self, topics: Sequence[str], within: PositionRange, count: int, newest_first: bool
    ) -> _ReadResult:
        """Read the next `count` entries, and one more to know if others follow."""
        if within.empty:
            return _ReadResult([], [], True)
        if ALL in topics:
            return await self._all(within, count, newest_first)
        return await self._of_topics(topics, within, count, newest_first)

    async def _all(self, within: PositionRange, count: int, newest_first: bool) -> _ReadResult:
        """Read all events. A missing event is noticed: each entry names the position before it."""
        entries = await self._journal.between(
            within.after, within.before, count + 1, newest_first=newest_first
        )
        oldest_first = entries[::-1] if newest_first else entries
        holes = self._journal.holes(oldest_first)
        missing = [(parse_position(oldest_first[n - 1].position), last) for n, last in holes]
        if oldest_first and not newest_first:
            missing.append((within.after, parse_position(oldest_first[0].previous)))
        rows = [(parse_position(entry.position), entry) for entry in entries[:count]]
        return _ReadResult(rows, [gap for gap in missing if gap[0] < gap[1]], len(entries) <= count)

    async def _of_topics(
        self, topics: Sequence[str], within: PositionRange, count: int, newest_first: bool
    ) -> _ReadResult:
        """Read the events of the topics and the events for all subscribers, each event once."""
        positions, is_last, members = await self._topics.positions(
            (*topics, BROADCASTS),
            count,
            after=within.after,
            before=within.before,
            newest_first=newest_first,
        )
        entries = await self._journal.at(positions)
        rows = list(zip(positions, entries, strict=True))
        missing = [(_just_before(position), position) for position, entry in rows if entry is None]
        return _ReadResult(rows, missing, is_last, members * MEMBER_BYTES)


def _just_before(position: Position) -> Position:
    if position.n:
        return Position(position.toid, position.n - 1)
    return Position(position.toid - 1, END.n)
