"""Finds the position at which the journal and the recent events of a process start to differ.

They differ when a failover of Redis has lost writes.

See docs/decisions/0127-webhooks-are-delivered-from-a-cursor.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shared.domain.position import Position, parse_position
from shared.journal.reader import Journal, JournalGap, JournalPage
from shared.journal.wire import JournalEntry

_PAGE = 500


class RecentJournal(Protocol):
    """The newest entries that a process has read, in order."""

    @property
    def floor(self) -> Position:
        """The position before the oldest entry."""

    @property
    def top(self) -> Position:
        """The position of the newest entry, or the floor."""

    def __contains__(self, position: str) -> bool:
        """True if an entry at this position is here."""

    def has(self, entry: JournalEntry) -> bool:
        """True if this entry is here, after the same entry."""


async def last_common_position(journal: Journal, recent: RecentJournal) -> Position | None:
    """The last position up to which the journal and the recent events have the same entries.

    `recent.top` if Redis lost nothing. None if the journal was trimmed above all recent events:
    then nothing can be compared.

    The entries must also be in the same order. Example: an event of the API and then an event of
    the chain were published, and a failover lost both. When the chain's event has come back, both
    sides have it. But the API's event is missing before it, so this position is below both events.
    Entries below the floor of the recent events cannot be compared, so a loss below the floor
    counts as a loss of all recent events.

    While this function reads the journal, the caller may publish new events and drop the oldest
    recent events. Neither counts as a loss.
    """
    top = (await journal.tip()).top
    common = await _common_position(journal, recent)
    return common if common is None or common > recent.floor else min(top, recent.floor)


async def _common_position(journal: Journal, recent: RecentJournal) -> Position | None:
    common = recent.floor
    while True:
        # Read the top before asking Redis, whose answer may lack events that are published later.
        published = recent.top
        match await journal.after(common, _PAGE):
            case JournalPage(entries, more):
                common, same = _compare(recent, common, entries)
                if not same:
                    return common
                if not more:
                    break
            case JournalGap(resumes_after) if resumes_after > recent.top:
                return None
            case JournalGap(resumes_after) if str(resumes_after) in recent:
                # only the oldest entries were trimmed: compare the entries after the trimmed ones
                common = resumes_after
            case _:
                break
    return recent.top if common >= published else common


def _compare(
    recent: RecentJournal, common: Position, entries: Sequence[JournalEntry]
) -> tuple[Position, bool]:
    """Compare entries with the recent events, from the position `common` on.

    Returns the last position up to which they agree, and True if they agree on all entries.
    """
    for entry in entries:
        position = parse_position(entry.position)
        dropped = position <= recent.floor
        if not dropped and not recent.has(entry):
            return common, False
        common = position
    return common, True
