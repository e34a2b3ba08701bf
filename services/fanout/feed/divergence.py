"""Finds the position at which the journal and the published events start to differ.

They differ when a failover of Redis has lost writes.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.fanout.feed.recent import RecentEvents
from shared.domain.position import Position, parse_position
from shared.journal.reader import Journal, JournalGap, JournalPage
from shared.journal.wire import JournalEntry

_PAGE = 500


async def last_common_position(journal: Journal, recent: RecentEvents) -> Position:
    """The last position up to which the journal and the recent events have the same entries.

    The entries must also be in the same order. An entry that both have may lie after this position:
    an event of the chain can come back before an event of the API that was lost in front of it.
    Entries below the floor of the recent events cannot be compared, so a loss below the floor
    counts as a loss of all recent events.

    Meanwhile events may be published, and the oldest recent events may be dropped. Neither is a
    loss.
    """
    top = (await journal.tip()).top
    common = await _common_position(journal, recent)
    return common if common > recent.floor else min(top, recent.floor)


async def _common_position(journal: Journal, recent: RecentEvents) -> Position:
    common = recent.floor
    while True:
        # Read this before asking Redis: events published later may not be in its answer.
        published = recent.top
        match await journal.after(common, _PAGE):
            case JournalPage(entries, more):
                common, same = _compare(recent, common, entries)
                if not same:
                    return common
                if not more:
                    break
            case JournalGap(resumes_after) if str(resumes_after) in recent:
                # only the oldest entries were trimmed: compare those after them
                common = resumes_after
            case _:
                break
    return recent.top if common >= published else common


def _compare(
    recent: RecentEvents, common: Position, entries: Sequence[JournalEntry]
) -> tuple[Position, bool]:
    """The last of these entries up to which both agree, and True if they agree on all of them."""
    for entry in entries:
        position = parse_position(entry.position)
        dropped = position <= recent.floor
        if not dropped and (entry.position not in recent or recent.before(position) != common):
            return common, False
        common = position
    return common, True
