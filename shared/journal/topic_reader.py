"""Reading the events of some topics after a position, like `Journal.after` reads all events.

The positions come from the topic index, the entries from the journal. So the cost depends on the
number of these events, not on the length of the journal.

See docs/decisions/0069-reads-are-bounded-in-bytes.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from redis.asyncio import Redis

from shared.domain.position import START, Position, parse_position
from shared.journal.keys import Keys
from shared.journal.reader import (
    Journal,
    JournalGap,
    JournalPage,
    NoNewEvents,
    Page,
    parse_tip,
    queue_tip,
)
from shared.journal.topic_index import BROADCASTS, TopicReading
from shared.journal.wire import entry_of


class TopicReader:
    """The events of topics in one namespace."""

    def __init__(self, redis: Redis, keys: Keys, journal: Journal) -> None:
        self._redis = redis
        self._keys = keys
        self._journal = journal

    async def after(
        self, topics: Sequence[str], position: Position, until: Position, limit: int
    ) -> Page:
        """The next events of these topics, and broadcasts, after `position` and up to `until`.

        A page can have no events: then there are none up to its `end`. It ends before the first
        entry that a topic names but the journal lacks; the next call returns a gap. Missing entries
        of other topics are no gap. NoNewEvents: the journal ends at or below `position`.
        """
        pipe = self._redis.pipeline(transaction=False)
        # The order matters. The sets are read after the tip, so they have all events up to the tip.
        # The oldest entry is read last, so events that were trimmed before are below this entry.
        queue_tip(pipe, self._keys)
        reading = TopicReading((*topics, BROADCASTS), limit, newest_first=False)
        reading.queue(pipe, self._keys, position, _next(until))
        pipe.xrange(self._keys.journal, count=1)
        stored, newest, *members, first = await pipe.execute()
        tip, found = parse_tip(stored, newest), reading.parse(members)
        oldest = parse_position(entry_of(*first[0]).previous) if first else tip.top
        if position < oldest and not (position == START and oldest == (tip.began or START)):
            return JournalGap(oldest)
        end = min(until, tip.top)
        if end <= position:
            return NoNewEvents()
        positions = [each for each in found.positions if each <= end]
        if not found.complete and len(positions) == len(found.positions):
            end = positions[-1]
        return await self._page(positions, end)

    async def _page(self, positions: Sequence[Position], end: Position) -> JournalPage | JournalGap:
        entries = await self._journal.at(positions)
        kept = [entry for entry in takewhile(bool, entries) if entry]
        if len(kept) == len(entries):
            return JournalPage(kept, True, end)
        if kept:
            return JournalPage(kept, True, parse_position(kept[-1].position))
        first = await self._journal.oldest()
        oldest = parse_position(first.previous) if first else START
        if positions[0] <= oldest:  # trimmed since the sets were read
            return JournalGap(oldest)
        missing = sum(1 for _ in takewhile(lambda entry: entry is None, entries))
        highest = positions[missing - 1]
        self._journal.count_missing(str(highest))
        return JournalGap(highest)


def _next(position: Position) -> Position:
    return Position(position.toid, position.n + 1)
