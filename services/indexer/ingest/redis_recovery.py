"""After a failover, decide when Redis has all events again that clients received.

A failover can lose events that were already delivered. Suppose that the API wrote a new event
before the indexer has read the lost ones again. The new event's position would be below the lost
positions, so a client that resumes from a lost position would miss the new event. Therefore the
commit refuses events of the API until the indexer has read up to two points: the source's tip when
the indexer started, and the highest cursor that this process ever committed.

See docs/decisions/0036-api-waits-after-a-failover.md.
"""

from __future__ import annotations

from services.indexer.sources.ledger_range import next_ledger


class FailoverRecovery:
    """The recovery in one process. `highest`: the highest cursor that the process has committed."""

    def __init__(self) -> None:
        self.highest = 0
        self._latest = 0

    def restart(self) -> None:
        """Forget the source's tip: the ingest starts again, perhaps with another journal."""
        self._latest = 0

    def is_caught_up(self, cursor: int, latest: int) -> bool:
        """True if a journal that is complete up to `cursor` has everything that a failover lost.

        `latest`: the source's last ledger, 0 if not known yet. The first known value counts as the
        tip.
        """
        self._latest = self._latest or latest
        caught_up = 0 < self._latest < next_ledger(cursor) and cursor >= self.highest
        self.highest = max(self.highest, cursor)
        return caught_up
