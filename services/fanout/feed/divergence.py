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

    The entries must also be in the same order. Example: an event of the API and then an event of
    the chain were published, and a failover lost both. When the chain's event has come back, both
    sides have it. But the API's event is missing before it, so this position is below both events.
    Entries below the floor of the recent events cannot be compared, so a loss below the floor
    counts as a loss of all recent events.

    While this function reads the journal, the feed may publish new events and drop the oldest
    recent events. Neither counts as a loss.
    """
    top = (await journal.tip()).top
    common = await _common_position(journal, recent)
    return common if common > recent.floor else min(top, recent.floor)


async def _common_position(journal: Journal, recent: RecentEvents) -> Position:
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
            case JournalGap(resumes_after) if str(resumes_after) in recent:
                # only the oldest entries were trimmed: compare the entries after the trimmed ones
                common = resumes_after
            case _:
                break
    return recent.top if common >= published else common


def _compare(
    recent: RecentEvents, common: Position, entries: Sequence[JournalEntry]
) -> tuple[Position, bool]:
    """Compare entries with the recent events, from the position `common` on.

    Returns the last position up to which they agree, and True if they agree on all entries.
    """
    for entry in entries:
        position = parse_position(entry.position)
        dropped = position <= recent.floor
        if not dropped and (entry.position not in recent or recent.before(position) != common):
            return common, False
        common = position
    return common, True
