"""History: pages of past events, newest or oldest first, by the filters of a subscription.

Everything is read straight from the journal; a topic's events are found by the set of their
positions, which the commit keeps and trims with the journal (docs/decisions.md 16). A call reads a
bounded number of entries, so with a filter by type a page may be short, or empty, and still have a
`next`. What was trimmed is told as a gap, never passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from shared.journal import Journal
from shared.keys import Keys
from shared.positions import END, START, Position, parse_position
from shared.topics import ALL, Subscription
from shared.wire import Entry, entry_of

CHUNK = 500
"""Entries read at once when only some types are wanted."""

MOST_READ = 2000
"""Entries read for one page before it is given out short."""


@dataclass(frozen=True, slots=True)
class Span:
    """Events after one position and before another, both exclusive."""

    after: Position = START
    before: Position = END

    def up_to(self, position: Position) -> Span:
        """The part of it that ends with a position."""
        return Span(self.after, min(self.before, Position(position.toid, position.n + 1)))

    @property
    def empty(self) -> bool:
        """Whether nothing can stand in it; Redis refuses to look beyond its ends."""
        return self.after >= self.before

    def beyond(self, position: Position, *, newest_first: bool) -> Span:
        """What is left of it once it was read up to a position."""
        if newest_first:
            return Span(self.after, position)
        return Span(position, self.before)


@dataclass(frozen=True, slots=True)
class Page:
    """Entries in the order asked for, where to go on (None at the end), and what is missing.

    `top` is the journal's, up to which was read: who subscribes from there gets the rest, and
    nothing twice. `gap` is the last position of what was trimmed, when that reaches into the span.
    """

    entries: Sequence[Entry]
    next: Position | None
    top: Position
    gap: Position | None


class History:
    """The history of one namespace."""

    def __init__(self, redis: Redis, keys: Keys, journal: Journal) -> None:
        self._redis = redis
        self._keys = keys
        self._journal = journal

    async def page(
        self, wanted: Subscription, span: Span, *, limit: int, newest_first: bool
    ) -> Page:
        """At most `limit` events of a span."""
        top = (await self._journal.head()).top
        found: list[Entry] = []
        left, whole = span.up_to(top), False
        count = CHUNK if wanted.types else limit
        for _ in range(max(1, MOST_READ // count) if wanted.types else 1):
            read, whole = await self._read(wanted.topics, left, count, newest_first)
            for place, entry in read:
                if len(found) == limit:
                    whole = False
                    break
                left = left.beyond(place, newest_first=newest_first)
                if entry is not None and (not wanted.types or entry.type in wanted.types):
                    found.append(entry)
            if whole or len(found) == limit:
                break
        going_on = None if whole else (left.before if newest_first else left.after)
        at_the_old_end = whole if newest_first else True
        gap = await self._gap(span) if at_the_old_end else None
        return Page(found, going_on, top, gap)

    async def _gap(self, span: Span) -> Position | None:
        """Where what was trimmed ends, when it begins within the span."""
        rows: Any = await self._redis.xrange(self._keys.journal, count=1)
        edge = parse_position(entry_of(*rows[0]).previous) if rows else START
        return edge if edge > span.after and not span.empty else None

    async def _read(
        self, topics: Sequence[str], span: Span, count: int, newest_first: bool
    ) -> tuple[list[tuple[Position, Entry | None]], bool]:
        """The next `count` entries, None for one trimmed just now; and whether that is all."""
        if span.empty:
            return [], True
        if ALL in topics:
            rows = await self._all(span, count + 1, newest_first)
        else:
            rows = await self._filed(topics, span, count + 1, newest_first)
        return rows[:count], len(rows) <= count

    async def _all(
        self, span: Span, count: int, newest_first: bool
    ) -> list[tuple[Position, Entry | None]]:
        low, high = f"({span.after}", f"({span.before}"
        journal = self._keys.journal
        rows: Any
        if newest_first:
            rows = await self._redis.xrevrange(journal, max=high, min=low, count=count)
        else:
            rows = await self._redis.xrange(journal, min=low, max=high, count=count)
        return [_placed(row) for row in rows]

    async def _filed(
        self, topics: Sequence[str], span: Span, count: int, newest_first: bool
    ) -> list[tuple[Position, Entry | None]]:
        """Of the topics and of everyone's, each position once."""
        low, high = f"({span.after.padded}", f"({span.before.padded}"
        pipe = self._redis.pipeline(transaction=False)
        for topic in (*topics, ""):
            key = self._keys.topic(topic)
            if newest_first:
                pipe.zrevrangebylex(key, high, low, 0, count)
            else:
                pipe.zrangebylex(key, low, high, 0, count)
        members = {member for row in await pipe.execute() for member in row}
        first = sorted(members, reverse=newest_first)[:count]
        places = [parse_position(member.decode()) for member in first]
        return list(zip(places, await self._entries(places), strict=True))

    async def _entries(self, places: Sequence[Position]) -> list[Entry | None]:
        pipe = self._redis.pipeline(transaction=False)
        for place in places:
            pipe.xrange(self._keys.journal, str(place), str(place))
        return [entry_of(*rows[0]) if rows else None for rows in await pipe.execute()]


def _placed(row: Any) -> tuple[Position, Entry | None]:
    entry = entry_of(*row)
    return parse_position(entry.position), entry
