"""The part of the history that is in the journal: all events, or those of topics by their index.

See docs/decisions/0016-history-by-topic.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from redis.asyncio import Redis

from services.api.events.ranges import MissingRange, OldEnd, PositionRange, RangeRead, just_before
from shared.domain.position import END, START, Position, parse_position
from shared.domain.topics import ALL
from shared.journal.keys import Keys
from shared.journal.reader import Journal, JournalTip
from shared.journal.topic_index import BROADCASTS, MEMBER_BYTES, TopicIndex


class JournalPart:
    """Reads ranges of the journal of one namespace."""

    def __init__(self, redis: Redis, keys: Keys, journal: Journal) -> None:
        self._topics = TopicIndex(redis, keys)
        self._journal = journal

    async def old_end(self, tip: JournalTip, after: Position) -> OldEnd:
        """Where the oldest entry begins that is still there."""
        first = await self._journal.oldest()
        start = parse_position(first.previous) if first else tip.top
        return OldEnd(start, start == tip.began)

    async def published_before(self, microseconds: int) -> Position:
        """A position up to which all events were published before this Unix time, perhaps START.

        Events are published in the order of their positions. So this is a binary search over the
        ledgers, which reads one entry for each step.
        """
        first, last = await self._journal.oldest(), (await self._journal.tip()).top.ledger
        found, low = START, parse_position(first.position).ledger if first else last + 1
        while low <= last:
            middle = (low + last) // 2
            at = just_before(Position(middle << 32, 0)) if middle else START
            (entry,) = await self._journal.between(at, END, 1, newest_first=False)
            if orjson.loads(entry.body)["publishedAt"] < microseconds:
                found = parse_position(entry.position)
                low = found.ledger + 1
            else:
                last = middle - 1
        return found

    async def read(
        self, topics: Sequence[str], within: PositionRange, count: int, *, newest_first: bool
    ) -> RangeRead:
        """Read the next `count` entries, and one more to know if others follow."""
        if within.empty:
            return RangeRead([], [], None)
        if ALL in topics:
            return await self._all(within, count, newest_first)
        return await self._of_topics(topics, within, count, newest_first)

    async def _all(self, within: PositionRange, count: int, newest_first: bool) -> RangeRead:
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
        rest = within.beyond(rows[-1][0], newest_first=newest_first) if entries[count:] else None
        return RangeRead(rows, [gap for gap in missing if gap[0] < gap[1]], rest)

    async def _of_topics(
        self, topics: Sequence[str], within: PositionRange, count: int, newest_first: bool
    ) -> RangeRead:
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
        missing = [(just_before(position), position) for position, entry in rows if entry is None]
        if missing:
            await self._count(missing)
        rest = None if is_last else within.beyond(positions[-1], newest_first=newest_first)
        return RangeRead(rows, missing, rest, members * MEMBER_BYTES)

    async def _count(self, missing: Sequence[MissingRange]) -> None:
        """Count missing entries, unless they were trimmed during the read."""
        start = await self._journal.start()
        for _, last in missing:
            if last > start:
                self._journal.count_missing(str(last))
