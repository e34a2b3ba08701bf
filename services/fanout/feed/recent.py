"""Recent events in memory, by topic, so that a storm of resumes needs no reads from Redis.

Pure. Limited by number and by bytes: the oldest events are dropped first.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from services.fanout.frame import EventFrame
from shared.domain.position import Position, parse_position
from shared.domain.topics import ALL
from shared.journal.wire import JournalEntry

_EVERYONE = ""
"""The key for events without topics, which are for all subscribers."""
_NO_TOPICS = (_EVERYONE,)
_NONE = -1
"""The sequence number that means "no item"."""


class RecentItem(NamedTuple):
    """One event with its frame.

    `before` has, for each topic of the event, the sequence number of the previous item with that
    topic.
    """

    position: Position
    entry: JournalEntry
    frame: EventFrame
    before: tuple[int, ...]


class RecentEvents:
    """The newest events in journal order. `floor` is the position before the oldest event."""

    def __init__(self, floor: Position, *, events: int, size: int) -> None:
        self._limits = (events, size)
        self.clear(floor)

    def clear(self, floor: Position) -> None:
        """Drop everything. The next event follows `floor`."""
        self.floor = floor
        self._set_top(floor)
        self._items: list[RecentItem | None] = []  # dropped items are None until `_shrink` cuts
        self._start = 0  # index of the oldest item
        self._base = 0  # sequence number of the item at index 0
        self._newest: dict[str, int] = {}  # sequence number of each topic's newest item
        self._known: dict[str, str] = {}  # each position, and the one of the entry before
        self._bytes = 0

    def load(self, entries: Sequence[JournalEntry], top: Position) -> None:
        """Replace everything with these entries, the newest of a journal that ends at `top`."""
        self.clear(parse_position(entries[0].previous) if entries else top)
        for entry in entries:
            self.append(entry)

    def __len__(self) -> int:
        return len(self._items) - self._start

    def __contains__(self, position: str) -> bool:
        return position in self._known

    def has(self, entry: JournalEntry) -> bool:
        """True if this entry is here, after the same entry."""
        previous = self._known.get(entry.position)
        return previous is not None and parse_position(previous) == parse_position(entry.previous)

    def is_next(self, entry: JournalEntry) -> bool:
        """True if the entry follows the newest event."""
        previous = entry.previous  # to compare texts is faster, and nearly always enough
        return previous == self._top_text or parse_position(previous) == self.top

    def append(self, entry: JournalEntry) -> RecentItem:
        """Add the newest event. All subscribers share its frame."""
        newest, number = self._newest, self._base + len(self._items)
        before = []
        for topic in entry.topics or _NO_TOPICS:
            before.append(newest.get(topic, _NONE))
            newest[topic] = number
        frame = EventFrame(entry)
        item = RecentItem(parse_position(entry.position), entry, frame, tuple(before))
        self._items.append(item)
        self._known[entry.position] = entry.previous
        self._bytes += frame.size
        self.top, self._top_text = item.position, entry.position
        if len(self._items) - self._start > self._limits[0] or self._bytes > self._limits[1]:
            self._shrink()
        return item

    def _set_top(self, position: Position) -> None:
        self.top, self._top_text = position, str(position)

    def covers(self, position: Position) -> bool:
        """True if memory has all events after `position`."""
        return self.floor <= position <= self.top

    def after(
        self, position: Position, topics: Iterable[str], most: int
    ) -> list[RecentItem] | None:
        """The events of these topics after `position`. None if there are more than `most`.

        `position` must be covered. The work is bounded by `most`, because all of it is done in one
        iteration of the event loop.
        """
        index = self._index_after(position)
        if ALL in topics:
            items = self._items[index : index + most + 1]
            return [item for item in items if item] if len(items) <= most else None
        numbers: set[int] = set()
        for topic in (*topics, _EVERYONE):
            numbers.update(islice(self._numbers(topic, self._base + index), most + 1))
            if len(numbers) > most:
                return None
        return [item for n in sorted(numbers) if (item := self._items[n - self._base])]

    def next_after(self, position: Position, count: int) -> list[RecentItem]:
        """The next events of all topics after `position`, which must be covered."""
        index = self._index_after(position)
        return [item for item in self._items[index : index + count] if item]

    def _index_after(self, position: Position) -> int:
        return bisect_right(self._items, position, lo=self._start, key=_position_of)

    def before(self, position: Position) -> Position:
        """The position of the last event before `position`, or the floor."""
        index = bisect_left(self._items, position, lo=self._start, key=_position_of)
        return _position_of(self._items[index - 1]) if index > self._start else self.floor

    def _numbers(self, topic: str, first: int) -> Iterator[int]:
        """Sequence numbers of a topic's items, newest first, not below `first`."""
        number = self._newest.get(topic, _NONE)
        while number >= first:
            yield number
            item = self._items[number - self._base]
            assert item is not None  # the item is not below `first`
            number = item.before[_topics(item.entry).index(topic)]

    def _shrink(self) -> None:
        events, size = self._limits
        while len(self) > events or (self._bytes > size and len(self) > 1):
            self._drop_oldest()
        if self._start > 1024 and self._start > len(self._items) // 2:
            del self._items[: self._start]
            self._base += self._start
            self._start = 0

    def truncate(self, position: Position) -> list[JournalEntry]:
        """Remove and return the events after `position`. Then `position` is the top."""
        removed = []
        while len(self) and _position_of(self._items[-1]) > position:
            item = self._items.pop()
            assert item is not None
            for topic, before in zip(_topics(item.entry), item.before, strict=True):
                if before >= self._base + self._start:
                    self._newest[topic] = before
                else:
                    self._newest.pop(topic, None)
            self._forget(item)
            removed.append(item.entry)
        self._set_top(position)
        self.floor = min(self.floor, position)
        return removed

    def _drop_oldest(self) -> None:
        item, number = self._items[self._start], self._base + self._start
        assert item is not None
        self._items[self._start] = None
        self._start += 1
        self.floor = item.position
        for topic in _topics(item.entry):
            if self._newest.get(topic) == number:
                del self._newest[topic]
        self._forget(item)

    def _forget(self, item: RecentItem) -> None:
        self._known.pop(item.entry.position, None)
        self._bytes -= item.frame.size


def _topics(entry: JournalEntry) -> tuple[str, ...]:
    return entry.topics or _NO_TOPICS


def _position_of(item: RecentItem | None) -> Position:
    assert item is not None  # only dropped items are None, and those are never searched
    return item.position
