"""Finds the last position up to which the journal has what this dispatcher has read.

After a failover, Redis can lack events that were read. See
docs/decisions/0127-webhooks-are-delivered-from-a-cursor.md.
"""

from __future__ import annotations

from services.webhooks.reading.recent import RecentEntries
from shared.domain.position import Position, parse_position
from shared.journal.reader import Journal, JournalGap, JournalPage

_PAGE = 500


async def last_common_position(journal: Journal, recent: RecentEntries) -> Position:
    """The position. `recent.top` if Redis lost nothing.

    The events must be the same and in the same order. What is below the oldest recent event cannot
    be compared. If Redis lost that too, all recent events count as lost.
    """
    top = (await journal.tip()).top
    if top < recent.floor:
        return top
    common = recent.floor
    while common < recent.top:
        match await journal.after(common, _PAGE):
            case JournalPage(entries, _):
                for entry in entries:
                    if not recent.has(entry):
                        return common
                    common = parse_position(entry.position)
            case JournalGap(resumes_after):  # the oldest ones were trimmed, or all of them
                common = min(resumes_after, recent.top)
            case _:
                return common
    return common
