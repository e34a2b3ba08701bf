"""The fork: where a journal that lost writes in a failover parts from what was published."""

from __future__ import annotations

from collections.abc import Sequence

from services.fanout.feed.recent import RecentEvents
from shared.domain.position import Position, parse_position
from shared.journal.reader import Journal, JournalGap, JournalPage
from shared.journal.wire import JournalEntry

_PAGE = 500


async def last_common_position(journal: Journal, recent: RecentEvents) -> Position:
    """The last position up to which the journal holds what the ring does.

    Up to this position, journal and ring have the same entries in the same order. It is not the
    last entry that both have: an event of the chain may have come back already while the API's
    event before it is still missing. Entries below the ring's floor cannot be compared, so a loss
    below it counts as a loss of the whole ring.

    Events may be published meanwhile, and the ring may drop its oldest. Neither is a loss.
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
                # only the old end is gone
                agreed = resumes_after
            case _:
                break
    return recent.top if agreed >= published else agreed


def _compare(
    recent: RecentEvents, agreed: Position, entries: Sequence[JournalEntry]
) -> tuple[Position, bool]:
    """The last of these entries up to which the ring has the same, and whether it has them all."""
    for entry in entries:
        place = parse_position(entry.position)
        dropped = place <= recent.floor
        if not dropped and (entry.position not in recent or recent.before(place) != agreed):
            return agreed, False
        agreed = place
    return agreed, True
