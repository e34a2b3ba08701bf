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
    """The last position up to which the journal and the recent events are the same.

    Up to this position both have the same entries in the same order. This is not the last entry
    that both have: an event of the chain may have come back already while the API's event before it
    is still missing. Entries below the floor of the recent events cannot be compared, so a loss
    below it counts as a loss of all recent events.

    Events may be published meanwhile, and the oldest recent events may be dropped. Neither is a
    loss.
    """
    top = (await journal.tip()).top
    agreed = await _agreed(journal, recent)
    return agreed if agreed > recent.floor else min(top, recent.floor)


async def _agreed(journal: Journal, recent: RecentEvents) -> Position:
    agreed = recent.floor
    while True:
        published = recent.top  # what is published after this may be newer than the answer
        match await journal.after(agreed, _PAGE):
            case JournalPage(entries, more):
                agreed, alike = _compare(recent, agreed, entries)
                if not alike:
                    return agreed
                if not more:
                    break
            case JournalGap(resumes_after) if str(resumes_after) in recent:
                # only the oldest events are gone
                agreed = resumes_after
            case _:
                break
    return recent.top if agreed >= published else agreed


def _compare(
    recent: RecentEvents, agreed: Position, entries: Sequence[JournalEntry]
) -> tuple[Position, bool]:
    """The last of these entries up to which both agree, and whether they agree on all of them."""
    for entry in entries:
        place = parse_position(entry.position)
        dropped = place <= recent.floor
        if not dropped and (entry.position not in recent or recent.before(place) != agreed):
            return agreed, False
        agreed = place
    return agreed, True
