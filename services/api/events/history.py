"""History: pages of past events, newest or oldest first, by the filters of a subscription.

Everything is read straight from the journal; a topic's events are found by the set of their
positions, which the commit keeps and trims with the journal (docs/decisions.md 16). A call reads a
bounded number of entries, so with a filter by type a page may be short, or empty, and still have a
`next`. What was trimmed is told as a gap, never passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from redis.asyncio import Redis

from shared.domain.position import END, START, Position, parse_position
from shared.domain.topics import ALL, Subscription
from shared.journal.keys import Keys
from shared.journal.reader import Journal, JournalTip
from shared.journal.wire import JournalEntry, entry_of

CHUNK_SIZE = 500
"""Entries read at once when only some types are wanted."""

MAX_READ = 2000
"""Entries read for one page before it is given out short."""


@dataclass(frozen=True, slots=True)
class PositionRange:
    """Events after one position and before another, both exclusive."""

    after: Position = START
    before: Position = END

    def up_to(self, position: Position) -> PositionRange:
        """The part of it that ends with a position."""
        return PositionRange(self.after, min(self.before, Position(position.toid, position.n + 1)))

    @property
    def empty(self) -> bool:
        """Whether nothing can stand in it; Redis refuses to look beyond its ends."""
        return self.after >= self.before

    def beyond(self, position: Position, *, newest_first: bool) -> PositionRange:
        """What is left of it once it was read up to a position."""
        if newest_first:
            return PositionRange(self.after, position)
        return PositionRange(position, self.before)


MissingRange = tuple[Position, Position]
"""What is missing: after the first position, up to and including the second."""


@dataclass(frozen=True, slots=True)
class EventPage:
    """Entries in the order asked for, where to go on (None at the end), and what is missing.

    `top` is the journal's, up to which was read: who subscribes from there gets the rest, and
    nothing twice. `gap` is what is missing of the span, as far as this page reaches: after the
    first position, up to and including the second. Entries between them that exist are in the page.
    """

    entries: Sequence[JournalEntry]
    next: Position | None
    top: Position
    gap: MissingRange | None


class _Read(NamedTuple):
    """Entries in the order asked for, None for a missing one; `whole`: nothing follows."""

    rows: Sequence[tuple[Position, JournalEntry | None]]
    missing: list[MissingRange]
    whole: bool


class EventHistory:
    """The history of one namespace."""

    def __init__(self, redis: Redis, keys: Keys, journal: Journal) -> None:
        self._redis = redis
        self._keys = keys
        self._journal = journal

    async def page(
        self, wanted: Subscription, span: PositionRange, *, limit: int, newest_first: bool
    ) -> EventPage:
        """At most `limit` events of a span."""
        head = await self._journal.tip()
        found: list[JournalEntry] = []
        missing: list[MissingRange] = []
        left, whole = span.up_to(head.top), False
        count = CHUNK_SIZE if wanted.types else limit
        for _ in range(max(1, MAX_READ // count) if wanted.types else 1):
            read = await self._read(wanted.topics, left, count, newest_first)
            missing += read.missing
            whole = read.whole
            for place, entry in read.rows:
                if len(found) == limit:
                    whole = False
                    break
                left = left.beyond(place, newest_first=newest_first)
                if entry is not None and (not wanted.types or entry.type in wanted.types):
                    found.append(entry)
            if whole or len(found) == limit:
                break
        going_on = None if whole else (left.before if newest_first else left.after)
        old_end = whole or not newest_first
        gap = await self._gap(head, span, missing, old_end=old_end and not span.empty)
        return EventPage(found, going_on, head.top, gap)

    async def _gap(
        self,
        head: JournalTip,
        span: PositionRange,
        missing: Sequence[MissingRange],
        *,
        old_end: bool,
    ) -> MissingRange | None:
        """Everything that is missing, as one gap; at the old end trimmed entries too.

        From START on, what was before the journal began is not missing.
        """
        rows: Any = await self._redis.xrange(self._keys.journal, count=1)
        edge = parse_position(entry_of(*rows[0]).previous) if rows else head.top
        missing = [gap for gap in missing if gap[1] > edge]  # the others were trimmed just now
        for _, last in missing:
            self._journal.count_missing(str(last))
        from_the_start = span.after == START and edge == head.began
        if old_end and edge > span.after and not from_the_start:
            missing.append((span.after, edge))
        if not missing:
            return None
        return min(gap[0] for gap in missing), max(gap[1] for gap in missing)

    async def _read(
        self, topics: Sequence[str], span: PositionRange, count: int, newest_first: bool
    ) -> _Read:
        """The next `count` entries. One more is read to see whether anything follows."""
        if span.empty:
            return _Read([], [], True)
        if ALL in topics:
            return await self._all(span, count, newest_first)
        return await self._filed(topics, span, count, newest_first)

    async def _all(self, span: PositionRange, count: int, newest_first: bool) -> _Read:
        """Every entry names the one before it, which shows where entries are missing."""
        entries = await self._journal.between(
            span.after, span.before, count + 1, newest_first=newest_first
        )
        rising = entries[::-1] if newest_first else entries
        holes = self._journal.holes(rising)
        missing = [(parse_position(rising[n - 1].position), last) for n, last in holes]
        if rising and not newest_first:
            missing.append((span.after, parse_position(rising[0].previous)))
        rows = [(parse_position(entry.position), entry) for entry in entries[:count]]
        return _Read(rows, [gap for gap in missing if gap[0] < gap[1]], len(entries) <= count)

    async def _filed(
        self, topics: Sequence[str], span: PositionRange, count: int, newest_first: bool
    ) -> _Read:
        """Entries of the topics and for everyone, each once; None where the entry is missing."""
        low, high = f"({span.after.padded}", f"({span.before.padded}"
        pipe = self._redis.pipeline(transaction=False)
        for topic in (*topics, ""):
            key = self._keys.topic(topic)
            if newest_first:
                pipe.zrevrangebylex(key, high, low, 0, count + 1)
            else:
                pipe.zrangebylex(key, low, high, 0, count + 1)
        members = {member for row in await pipe.execute() for member in row}
        places = [parse_position(each.decode()) for each in sorted(members, reverse=newest_first)]
        entries = await self._entries(places[:count])
        rows = list(zip(places, entries, strict=False))
        missing = [(_just_before(place), place) for place, entry in rows if entry is None]
        return _Read(rows, missing, len(places) <= count)

    async def _entries(self, places: Sequence[Position]) -> list[JournalEntry | None]:
        pipe = self._redis.pipeline(transaction=False)
        for place in places:
            pipe.xrange(self._keys.journal, str(place), str(place))
        return [entry_of(*rows[0]) if rows else None for rows in await pipe.execute()]


def _just_before(place: Position) -> Position:
    return Position(place.toid, place.n - 1) if place.n else Position(place.toid - 1, END.n)
