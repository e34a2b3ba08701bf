"""When a Redis that has taken over holds again all that subscribers may have been told.

A failover can lose events that were delivered. Until they are back an event of the API would be
given a position below them, where nobody who resumes looks: the commit refuses it, until the
indexer has read on to where the source ended when it began, and to where it was itself before.
"""

from __future__ import annotations

from services.indexer.sources.ledger_range import next_ledger


class FailoverRecovery:
    """One a process: `highest` is the highest cursor that it has ever kept."""

    def __init__(self) -> None:
        self.highest = 0
        self._latest = 0

    def restart(self) -> None:
        """The journal may be another now."""
        self._latest = 0

    def is_caught_up(self, cursor: int, latest: int) -> bool:
        """Whether all is back when everything up to `cursor` is in the journal.

        `latest` is the last ledger that the source knows, 0 while it has not been asked; the first
        that it tells counts.
        """
        self._latest = self._latest or latest
        caught_up = 0 < self._latest < next_ledger(cursor) and cursor >= self.highest
        self.highest = max(self.highest, cursor)
        return caught_up
