"""The events that are read from the journal and not archived yet. Pure.

They become a segment when they are large or old enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.domain.position import START, Position, parse_position
from shared.journal.wire import JournalEntry

_RATIO = 0.15
"""About how many bytes of a segment one byte of an event needs, before the first was written."""


class SegmentBuffer:
    """`limit` bytes of a segment, or the age of `seconds`, make the buffer due.

    Times are seconds of any clock that only goes forward. `end`: everything up to this position
    is archived or in the buffer.
    """

    def __init__(self, *, limit: int, seconds: float) -> None:
        self.entries: list[JournalEntry] = []
        self.end = START
        self.progress: Mapping[str, str] = {}
        self._limit = limit
        self._seconds = seconds
        self._since = 0.0
        self._size = 0
        self._ratio = _RATIO

    def start(self, position: Position) -> None:
        """Forget everything. The next entry follows `position`."""
        self.entries, self.end, self.progress, self._size = [], position, {}, 0

    def add(self, entries: Sequence[JournalEntry], now: float) -> None:
        """Add the next entries, oldest first."""
        if not self.entries:
            self._since = now
        self.entries += entries
        self.end = parse_position(entries[-1].position)
        self.progress = {}
        self._size += sum(len(entry.body) for entry in entries)

    def reached_tip(self, progress: Mapping[str, str]) -> None:
        """The journal ends here. `progress` was read before its end was."""
        self.progress = progress

    def written(self, size: int) -> None:
        """The entries are archived, in a segment of `size` bytes."""
        self._ratio = size / max(1, self._size)
        self.start(self.end)

    @property
    def is_full(self) -> bool:
        """True if the entries are enough for a segment."""
        return self._size * self._ratio >= self._limit

    def is_due(self, now: float) -> bool:
        """True if the entries must be written now."""
        return bool(self.entries) and (self.is_full or now - self._since >= self._seconds)
