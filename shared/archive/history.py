"""Journal and archive read as one history, with the three answers of the journal.

The journal has the newest events, the archive all of them up to its end. A read asks the journal
first. Where the journal lacks events, the archive answers, but only up to the position from which
the journal continues. So each event comes once, and a gap remains only where both lack events.

This module imports nothing of the archive: without ARCHIVE_URL a service does not load pyarrow.

See docs/decisions/0124-journal-and-archive-are-one-history.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from shared.domain.position import START, Position, parse_position
from shared.journal.pages import PageReader
from shared.journal.reader import Journal, JournalGap, JournalPage, Page

if TYPE_CHECKING:
    from shared.archive.pages import ArchivePages


class JoinedHistory:
    """The journal, and the archive where the journal ends. Itself a PageReader.

    `journal_start` returns the position after which the journal has entries. `freshen` makes sure
    that the archive's catalog has everything up to a position, if it is archived. All methods raise
    the errors of Redis, and ArchiveError if the archive is needed and cannot be read.
    """

    def __init__(
        self,
        journal: PageReader,
        archive: PageReader,
        *,
        journal_start: Callable[[], Awaitable[Position]],
        freshen: Callable[[Position], Awaitable[None]],
    ) -> None:
        self._journal = journal
        self._archive = archive
        self._journal_start = journal_start
        self._freshen = freshen

    async def after(self, position: Position, limit: int) -> Page:
        """The next page of all events."""
        answer = await self._journal.after(position, limit)
        until = await self._archived_until(position, answer)
        if until is None:
            return answer
        archived = up_to(until, await self._archive.after(position, limit))
        if isinstance(archived, JournalPage) and not archived.entries:
            # Nothing is missing before the journal, although it may have begun again (a restore).
            whole = isinstance(answer, JournalGap)
            return await self._journal.after(until, limit) if whole else answer
        return answer if archived is None else archived

    async def of_topics(
        self, topics: Sequence[str], position: Position, until: Position, limit: int
    ) -> Page:
        """The next page of the events of these topics, and of the events for everyone."""
        answer = await self._journal.of_topics(topics, position, until, limit)
        start = await self._archived_until(position, answer)
        if start is None:
            return answer
        end = min(start, until)
        archived = up_to(end, await self._archive.of_topics(topics, position, end, limit))
        has_ended = isinstance(archived, JournalPage) and archived.end <= position
        return answer if archived is None or has_ended else archived

    async def _archived_until(self, position: Position, answer: Page) -> Position | None:
        """Up to where the archive is asked. None: the journal has what follows `position`.

        From START the journal never reports what came before it began. An older journal may be in
        the archive, so the archive is asked.
        """
        if position == START:
            until = await self._journal_start()
        elif isinstance(answer, JournalGap):
            until = answer.resumes_after
        else:
            return None
        await self._freshen(until)
        return until if until > START else None


def with_archive(pages: PageReader, journal: Journal, archive: ArchivePages | None) -> PageReader:
    """The pages of a journal, joined with its archive if there is one."""
    if archive is None:
        return pages
    return JoinedHistory(pages, archive, journal_start=journal.start, freshen=archive.freshen)


def up_to(position: Position, answer: Page) -> Page | None:
    """An answer of the archive, without what is above `position`. None if nothing remains."""
    match answer:
        case JournalGap(resumes_after):
            return answer if resumes_after < position else None
        case JournalPage(entries, _, end):
            kept = takewhile(lambda entry: parse_position(entry.position) <= position, entries)
            return JournalPage([*kept], True, min(end, position))
    return None
