"""Decide when a Redis replica that took over has all events again that clients received.

A failover of Redis can lose events that were already delivered. Until they are read again, a new
event of the API would get a position below them, and clients that resume would miss it. So the
commit refuses events of the API until the indexer has read up to two points: the source's tip when
the indexer started, and the highest cursor that this process ever committed.

See docs/decisions/0036-api-waits-after-a-failover.md.
"""

from __future__ import annotations

from services.indexer.sources.ledger_range import next_ledger


class FailoverRecovery:
    """One for each process. `highest` is the highest cursor that it has committed."""

    def __init__(self) -> None:
        self.highest = 0
        self._latest = 0

    def restart(self) -> None:
        """The ingest starts again, perhaps with another journal."""
        self._latest = 0

    def is_caught_up(self, cursor: int, latest: int) -> bool:
        """Whether everything is back when the journal is complete up to `cursor`.

        `latest`: the source's last ledger, 0 if not known yet. The first known one counts as the
        tip.
        """
        self._latest = self._latest or latest
        caught_up = 0 < self._latest < next_ledger(cursor) and cursor >= self.highest
        self.highest = max(self.highest, cursor)
        return caught_up
