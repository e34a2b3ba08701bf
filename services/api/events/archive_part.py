"""The whole history: the archive up to where the journal starts, then the journal.

See docs/decisions/0124-journal-and-archive-are-one-history.md.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from services.api.events.journal_part import JournalPart
from services.api.events.ranges import (
    MissingRange,
    OldEnd,
    PositionRange,
    RangeRead,
    just_after,
    just_before,
)
from shared.archive.history import up_to
from shared.domain.position import END, START, Position, parse_position
from shared.domain.topics import ALL
from shared.journal.reader import Journal, JournalGap, JournalPage, JournalTip
from shared.journal.topic_index import BROADCASTS
from shared.journal.wire import JournalEntry

if TYPE_CHECKING:
    from shared.archive.pages import ArchivePages

_HOLE = 128
"""The most entries of one hole in the journal that are taken from the archive."""


class ArchivePart:
    """Reads ranges of the archive and of the journal. `journal_part` reads the latter.

    All methods raise the errors of Redis and ArchiveError.
    """

    def __init__(self, archive: ArchivePages, journal_part: JournalPart, journal: Journal) -> None:
        self._archive = archive
        self._journal_part = journal_part
        self._journal = journal

    async def old_end(self, tip: JournalTip, after: Position) -> OldEnd:
        """Where the archive begins. The archive is not needed if the journal has what follows."""
        of_journal = await self._journal_part.old_end(tip, after)
        if of_journal.position <= after:
            return of_journal
        await self._archive.freshen(of_journal.position)
        catalog = self._archive.catalog
        if not catalog.manifests or catalog.manifests[0].before > of_journal.position:
            return of_journal
        first = catalog.manifests[0].before
        return OldEnd(first, first == catalog.began)

    async def published_before(self, microseconds: int) -> Position:
        """Like that of the journal; in the archive it is the end of a segment."""
        found = await self._journal_part.published_before(microseconds)
        if found > START:
            return found
        await self._archive.freshen(await self._journal.start())
        manifests = self._archive.catalog.manifests
        older = bisect_left(manifests, microseconds, key=lambda each: each.last_published)
        return manifests[older - 1].last if older else START

    async def read(
        self, topics: Sequence[str], within: PositionRange, count: int, *, newest_first: bool
    ) -> RangeRead:
        """Read the next entries of these topics, at most `count`, from the one or the other."""
        start = await self._journal.start()
        if within.after >= start or within.empty:
            read = await self._journal_part.read(topics, within, count, newest_first=newest_first)
        elif not newest_first:
            await self._archive.freshen(start)
            read = await self._oldest_first(topics, within, count, start)
        elif within.before > just_after(start):
            read = await self._newest_of_journal(topics, within, count)
        else:
            await self._archive.freshen(start)
            read = await self._newest_first(topics, within, count, start)
        trimmed = await self._journal.start()
        if trimmed > max(start, within.after) and (read.missing or within.after >= start):
            # The journal was trimmed during the read. Perhaps its index lacked events too.
            return await self.read(topics, within, count, newest_first=newest_first)
        if ALL in topics and within.before > just_after(start):
            read = await self._with_edges(read, within, start, newest_first=newest_first)
        return await self._filled(read, topics, newest_first=newest_first)

    async def _oldest_first(
        self, topics: Sequence[str], within: PositionRange, count: int, start: Position
    ) -> RangeRead:
        """The next entries of the archive, which ends where the journal starts."""
        after, until = within.after, min(start, just_before(within.before))
        if ALL in topics:
            page = await self._archive.after(after, count)
        else:
            page = await self._archive.of_topics(topics, after, until, count)
        match up_to(until, page):
            case JournalPage(entries, _, end) if end > after:
                return RangeRead(_rows(entries), [], _after(within, end))
            case JournalGap(end):
                return RangeRead([], [(after, end)], _after(within, end))
        return RangeRead([], [(after, until)], _after(within, until))

    async def _newest_of_journal(
        self, topics: Sequence[str], within: PositionRange, count: int
    ) -> RangeRead:
        """The newest entries, all of which the journal has. After the last one the archive goes on.

        The journal may be trimmed during this read. The archive goes on below what was read.
        """
        read = await self._journal_part.read(topics, within, count, newest_first=True)
        if read.rest is not None:
            return read
        end = just_after(await self._journal.start())
        end = min(end, read.rows[-1][0]) if read.rows else end
        return read._replace(rest=PositionRange(within.after, min(end, within.before)))

    async def _newest_first(
        self, topics: Sequence[str], within: PositionRange, count: int, start: Position
    ) -> RangeRead:
        """The next entries of the archive, from the newest one on."""
        entries = await self._between(within, count + 1, topics, newest_first=True)
        rows = _rows(entries[:count])
        rest = PositionRange(within.after, rows[-1][0]) if entries[count:] else None
        done = PositionRange(rest.before, within.before) if rest else within
        return RangeRead(rows, self._missing(done, start), rest)

    def _missing(self, within: PositionRange, start: Position) -> list[MissingRange]:
        """What the archive lacks between its segments, and from its end to the journal's start."""
        manifests = self._archive.catalog.manifests
        ends = [(one.last, other.before) for one, other in pairwise(manifests)]
        if manifests:
            ends.append((manifests[-1].last, start))
        last = just_before(within.before)
        found = [(max(after, within.after), min(to, last)) for after, to in ends]
        return [gap for gap in found if gap[0] < gap[1]]

    def _has_all(self, within: PositionRange, last: Position) -> bool:
        """True if the archive has all events of the range, up to and including `last`."""
        manifests = self._archive.catalog.manifests
        if not manifests or manifests[0].before > within.after:
            return False
        return not self._missing(within, last)

    async def _with_edges(
        self, read: RangeRead, within: PositionRange, start: Position, *, newest_first: bool
    ) -> RangeRead:
        """The read of the journal with what is missing at the ends of the range.

        Its rows do not show it. If a page ends inside of a hole, the next one begins there. What is
        missing beyond the last row belongs to the next read.
        """
        missing = list(read.missing)
        if newest_first:
            missing = [gap for gap in missing if not read.rest or gap[0] >= read.rows[-1][0]]
            if read.rest is None and read.rows and (oldest := read.rows[-1][1]):
                missing.append((within.after, parse_position(oldest.previous)))
        if newest_first or read.rest is None:
            highest = just_before(within.before)
            newest = max([within.after, start, *(position for position, _ in read.rows)])
            for above in await self._journal.between(highest, END, 1, newest_first=False):
                missing.append((newest, min(parse_position(above.previous), highest)))
        return read._replace(missing=[gap for gap in missing if gap[0] < gap[1]])

    async def _filled(
        self, read: RangeRead, topics: Sequence[str], *, newest_first: bool
    ) -> RangeRead:
        """The read with what the archive has of the entries that are missing in the journal."""
        rows, missing = dict(read.rows), list[MissingRange]()
        for gap in read.missing:
            hole = PositionRange(gap[0], just_after(gap[1]))
            await self._archive.freshen(gap[1])
            entries = await self._between(hole, _HOLE + 1, topics, newest_first=False)
            # Of all events, none may be there: the range of a page can end inside of a hole.
            is_whole = self._has_all(hole, gap[1]) and (entries or ALL in topics)
            if is_whole and len(entries) <= _HOLE:
                rows |= dict(_rows(entries))
            else:
                missing.append(gap)
        return read._replace(rows=sorted(rows.items(), reverse=newest_first), missing=missing)

    async def _between(
        self, within: PositionRange, count: int, topics: Sequence[str], *, newest_first: bool
    ) -> list[JournalEntry]:
        names = None if ALL in topics else (*topics, BROADCASTS)
        return await self._archive.between(
            within.after, within.before, count, newest_first=newest_first, topics=names
        )


def _rows(entries: Sequence[JournalEntry]) -> list[tuple[Position, JournalEntry | None]]:
    return [(parse_position(entry.position), entry) for entry in entries]


def _after(within: PositionRange, position: Position) -> PositionRange | None:
    """The rest of the range above a position; None if nothing can be there."""
    rest = within.beyond(position, newest_first=False)
    return None if rest.after >= just_before(rest.before) else rest
