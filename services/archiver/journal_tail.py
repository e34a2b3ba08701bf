"""Which of the newest archived entries a restored journal has. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from shared.journal.plan import Retention
from shared.journal.rebuilding import cost_of
from shared.journal.wire import JournalEntry


class JournalTail:
    """Tell `saw` the entries of each segment, from the newest segment to the oldest.

    Then the journal has `count` entries. Without the `skipped` oldest ones of the segment with the
    index `segment`, these are all from there on. `before` is the cost of all entries before them.
    """

    def __init__(self, retention: Retention) -> None:
        self.segment = 0
        self.skipped = 0
        self.count = 0
        self.before = 0
        self._size = 0
        self._retention = retention
        self._is_complete = False

    def saw(self, segment: int, entries: Sequence[JournalEntry]) -> None:
        """Take as many of these entries, the newest first, as there is room for."""
        taken = 0
        for entry in reversed(entries):
            cost = cost_of(entry)
            if not self._is_complete and self._has_room(cost):
                taken += 1
                self.count += 1
                self._size += cost
            else:
                self._is_complete = True
                self.before += cost
        if taken:
            self.segment, self.skipped = segment, len(entries) - taken

    def end(self) -> None:
        """Take no older entries: events are missing before the ones that were seen."""
        self._is_complete = True

    def _has_room(self, cost: int) -> bool:
        most = self._retention
        fits = self._size + cost <= most.max_bytes
        return self.count < most.max_length and (fits or not self.count)
