"""Pages of past events, newest or oldest first, by the filters of a subscription.

Events are read from the journal, and from the archive where the journal ends. Each topic has an
index with the positions of its events. One call reads a limited number of entries and about 1 MB.
So a page can be short or empty and still have a `next`. If events of a page's range are neither in
the journal nor in the archive, the `gap` of the page names the missing range.

See docs/decisions/0016-history-by-topic.md,
docs/decisions/0069-reads-are-bounded-in-bytes.md,
docs/decisions/0124-journal-and-archive-are-one-history.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.api.events.ranges import MissingRange, OldEnd, PositionRange, RangeRead
from shared.domain.position import START, Position
from shared.domain.topics import Subscription
from shared.journal.read_size import READ_BYTES, ReadSize
from shared.journal.reader import Journal, JournalTip
from shared.journal.wire import JournalEntry

MAX_READ = 2000
"""The largest number of entries that are read for one page."""
_EARLY_SECONDS = 3600
"""Seconds by which a time in an event may be ahead of Redis' clock."""


class HistoryPart(Protocol):
    """Reads ranges of the history: from the journal, or from the archive too."""

    async def old_end(self, tip: JournalTip, after: Position) -> OldEnd:
        """Where the history begins, or any position up to `after` if it begins before that."""

    async def published_before(self, microseconds: int) -> Position:
        """A position up to which all events were published before this Unix time."""

    async def read(
        self, topics: Sequence[str], within: PositionRange, count: int, *, newest_first: bool
    ) -> RangeRead:
        """Read the next entries of these topics, at most `count`."""


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


class EventHistory:
    """The event history of one namespace."""

    def __init__(self, journal: Journal, part: HistoryPart) -> None:
        self._journal = journal
        self._part = part

    async def since(self, within: PositionRange, seconds: int) -> PositionRange:
        """The part of the range that has all events which happened at this Unix time or later.

        It can have older ones too. An event is published after it happened.
        """
        before = (seconds - _EARLY_SECONDS) * 1_000_000
        return within.above(await self._part.published_before(before))

    async def page(
        self, wanted: Subscription, within: PositionRange, *, limit: int, newest_first: bool
    ) -> EventPage:
        """A page of at most `limit` events of the range, which together have about 1 MB.

        Raises ArchiveError if the archive is needed and cannot be read.
        """
        tip = await self._journal.tip()
        found: list[JournalEntry] = []
        missing: list[MissingRange] = []
        rest: PositionRange | None = within.up_to(tip.top)
        size, entries, left = ReadSize(), 0, READ_BYTES
        while rest and len(found) < limit and entries < MAX_READ and left > 0:
            count = min(size.within(left), MAX_READ - entries)
            if not wanted.types:
                count = min(count, limit - len(found))
            read = await self._part.read(wanted.topics, rest, count, newest_first=newest_first)
            missing += read.missing
            size.saw(len(entry.body) for _, entry in read.rows if entry)
            for position, entry in read.rows:
                if len(found) == limit or left <= 0:
                    break
                entries += 1
                rest = rest.beyond(position, newest_first=newest_first)
                left -= len(entry.body) if entry else 0
                if entry is not None and (not wanted.types or entry.type in wanted.types):
                    found.append(entry)
            else:
                rest = read.rest
            left -= read.overhead
        continue_at = None if rest is None else (rest.before if newest_first else rest.after)
        old_end = rest is None or not newest_first
        gap = await self._gap(tip, within, missing, old_end=old_end and not within.empty)
        return EventPage(found, continue_at, tip.top, gap)

    async def _gap(
        self,
        tip: JournalTip,
        within: PositionRange,
        missing: list[MissingRange],
        *,
        old_end: bool,
    ) -> MissingRange | None:
        """One gap that contains all missing events; None if none is missing.

        `old_end` is True if the page contains the oldest end of its range. Then events that are
        missing there count too. If the range begins at START, the time before the journal began
        does not count.
        """
        if not missing and not old_end:
            return None
        start, is_beginning = await self._part.old_end(tip, within.after)
        # Ignore missing entries before the start: they were trimmed during the read.
        missing = [gap for gap in missing if gap[1] > start]
        from_the_start = within.after == START and is_beginning
        if old_end and start > within.after and not from_the_start:
            missing.append((within.after, start))
        if not missing:
            return None
        return min(gap[0] for gap in missing), max(gap[1] for gap in missing)
