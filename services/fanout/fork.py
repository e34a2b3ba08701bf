"""The fork: where a journal that lost writes in a failover parts from what was published."""

from __future__ import annotations

from services.fanout.ring import Ring
from shared.journal import Events, Gap, Journal
from shared.positions import Position, parse_position

_PAGE = 500


async def find_fork(journal: Journal, ring: Ring) -> Position:
    """The last position up to which the journal holds what the ring does.

    Up to this position, journal and ring have the same entries in the same order. It is not the
    last entry that both have: an event of the chain may have come back already while the API's
    event before it is still missing. Entries below the ring's floor cannot be compared, so a loss
    below it counts as a loss of the whole ring.
    """
    top = (await journal.head()).top
    return min(top, max(await _agreed(journal, ring), ring.floor))


async def _agreed(journal: Journal, ring: Ring) -> Position:
    agreed = ring.floor
    while True:
        match await journal.after(agreed, _PAGE):
            case Events(entries, more):
                for entry in entries:
                    place = parse_position(entry.position)
                    if entry.position not in ring or ring.before(place) != agreed:
                        return agreed
                    agreed = place
                if not more:
                    return agreed
            case Gap(resumes_after) if str(resumes_after) in ring:  # only the old end is gone
                agreed = resumes_after
            case _:
                return agreed
