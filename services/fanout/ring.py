"""The ring: recent events in memory, by topic, so that a storm of resumes asks Redis nothing.

Pure. Bounded in events and in bytes; the oldest go first.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from shared.positions import Position, parse_position
from shared.topics import ALL
from shared.wire import Entry, event_frame

_EVERYONE = ""
"""Index of the events without topics, which are for all."""


@dataclass(frozen=True, slots=True)
class Item:
    """One event, framed."""

    place: Position
    entry: Entry
    frame: bytes


class Ring:
    """The newest events in journal order; `floor` is the position before the oldest."""

    def __init__(self, floor: Position, *, events: int, size: int) -> None:
        self._limits = (events, size)
        self.clear(floor)

    def clear(self, floor: Position) -> None:
        """Forget everything; the ring goes on from `floor`."""
        self.floor = self.top = floor
        self._items: list[Item | None] = []  # dropped ones are None until the list is cut
        self._start = 0  # index of the oldest item
        self._base = 0  # sequence number of index 0
        self._by_topic: dict[str, deque[int]] = {}
        self._known: set[str] = set()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._items) - self._start

    def __contains__(self, position: str) -> bool:
        return position in self._known

    def append(self, entry: Entry) -> Item:
        """Add the newest event; its frame is made here, once."""
        item = Item(parse_position(entry.position), entry, event_frame(entry))
        number = self._base + len(self._items)
        self._items.append(item)
        self._known.add(entry.position)
        for topic in entry.topics or (_EVERYONE,):
            self._by_topic.setdefault(topic, deque()).append(number)
        self._bytes += len(item.frame)
        self.top = item.place
        self._shrink()
        return item

    def after(self, position: Position, topics: Iterable[str]) -> list[Item] | None:
        """The events of these topics that follow `position`; None when it is not covered."""
        if not self.floor <= position <= self.top:
            return None
        index = bisect_right(self._items, position, lo=self._start, key=_place)
        if ALL in topics:
            return [item for item in self._items[index:] if item]
        numbers: set[int] = set()
        for topic in (*topics, _EVERYONE):
            numbers.update(self._numbers(topic, self._base + index))
        return [item for n in sorted(numbers) if (item := self._items[n - self._base])]

    def _numbers(self, topic: str, first: int) -> Iterator[int]:
        """Sequence numbers of a topic's items, newest first, down to `first`."""
        for number in reversed(self._by_topic.get(topic, ())):
            if number < first:
                return
            yield number

    def _shrink(self) -> None:
        events, size = self._limits
        while len(self) > events or (self._bytes > size and len(self) > 1):
            self._drop_oldest()
        if self._start > 1024 and self._start > len(self._items) // 2:
            del self._items[: self._start]
            self._base += self._start
            self._start = 0

    def cut(self, position: Position) -> list[str]:
        """Take back the events after `position`, which is the top from now on; returns theirs."""
        taken = []
        while len(self) and _place(self._items[-1]) > position:
            item = self._items.pop()
            self._forget(item, deque.pop)
            taken.append(str(_place(item)))
        self.top = position
        self.floor = min(self.floor, position)
        return taken

    def _drop_oldest(self) -> None:
        item = self._items[self._start]
        self._forget(item, deque.popleft)
        self._items[self._start] = None
        self._start += 1
        self.floor = _place(item)

    def _forget(self, item: Item | None, pop: Callable[[deque[int]], int]) -> None:
        assert item is not None
        for topic in item.entry.topics or (_EVERYONE,):
            numbers = self._by_topic[topic]
            pop(numbers)
            if not numbers:
                del self._by_topic[topic]
        self._known.discard(item.entry.position)
        self._bytes -= len(item.frame)


def _place(item: Item | None) -> Position:
    assert item is not None  # only dropped items are, and those are never searched
    return item.place
