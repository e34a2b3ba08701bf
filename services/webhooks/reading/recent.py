"""The newest events of the journal in memory, in order. Pure.

They tell which events Redis lost in a failover, and they let endpoints of a new partition begin
without a read of their history. Limited by number and by bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from shared.domain.position import START, Position, parse_position
from shared.journal.wire import JournalEntry

RECENT_EVENTS = 5_000
RECENT_BYTES = 4 << 20


class RecentEntries:
    """`floor` is the position before the oldest entry, `top` that of the newest."""

    def __init__(self, *, events: int = RECENT_EVENTS, size: int = RECENT_BYTES) -> None:
        self._limits = (events, size)
        self.clear(START)

    def clear(self, floor: Position) -> None:
        """Drop everything. The next entry follows `floor`."""
        self.floor = self.top = floor
        self._entries: deque[JournalEntry] = deque()
        self._before: dict[str, str] = {}  # the entry before each entry
        self._size = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, position: str) -> bool:
        return position in self._before

    def __iter__(self) -> Iterator[JournalEntry]:
        return iter(self._entries)

    def load(self, entries: Sequence[JournalEntry], top: Position) -> None:
        """Replace everything with the newest entries of a journal that ends at `top`."""
        self.clear(parse_position(entries[0].previous) if entries else top)
        for entry in entries:
            self.append(entry)

    def after(self, position: Position) -> Iterator[JournalEntry]:
        """The entries after a position, the newest first."""
        for entry in reversed(self._entries):
            if parse_position(entry.position) <= position:
                return
            yield entry

    def has(self, entry: JournalEntry) -> bool:
        """True if this entry is here, after the same entry."""
        return self._before.get(entry.position) == entry.previous

    def append(self, entry: JournalEntry) -> None:
        """Add the newest entry."""
        self._entries.append(entry)
        self._before[entry.position] = entry.previous
        self._size += len(entry.body)
        self.top = parse_position(entry.position)
        events, size = self._limits
        while len(self._entries) > events or (self._size > size and len(self._entries) > 1):
            self._drop(self._entries.popleft())

    def truncate(self, position: Position) -> list[JournalEntry]:
        """Remove the entries after a position, and return them in order."""
        removed: list[JournalEntry] = []
        while self._entries and parse_position(self._entries[-1].position) > position:
            removed.append(entry := self._entries.pop())
            del self._before[entry.position]
            self._size -= len(entry.body)
        self.top = position
        self.floor = min(self.floor, position)
        return removed[::-1]

    def _drop(self, entry: JournalEntry) -> None:
        del self._before[entry.position]
        self._size -= len(entry.body)
        self.floor = parse_position(entry.position)
