"""The next events of one endpoint: which may be delivered now, and what was acknowledged. Pure.

Deliveries of one sequence are in order: each waits until the one before it was acknowledged. With
the order `endpoint`, the endpoint has one sequence. With the order `stream`, each stream has its
own, and all other events share one.

A batch that was not acknowledged comes again with the same events, also if more have come in the
meantime: the receiver may have it already, and recognizes it by its `webhook-id`.

See docs/decisions/0127-webhooks-are-delivered-from-a-cursor.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence, Set
from typing import NamedTuple, TypeAlias

from shared.domain.position import Position, parse_position
from shared.domain.topics import is_stream_id
from shared.journal.wire import JournalEntry

WINDOW_EVENTS = 256
"""The most events from the first one that was not acknowledged to the last one in memory."""
BATCH_BYTES = 256 << 10
"""The most bytes of events in one delivery, unless the first event alone has more."""
_OTHERS = ""

DeliveryBatch: TypeAlias = tuple[Position, ...]
"""The positions of the events of one delivery, in order."""


class Taken(NamedTuple):
    """The events of one delivery, in the order of the journal.

    `batch`: the positions of the events that it had the first time. () if it is no batch.
    """

    entries: tuple[JournalEntry, ...]
    sequences: frozenset[str]
    batch: DeliveryBatch = ()


class DeliveryWindow:
    """The events after `position`.

    `end`: everything up to it is in the window, was acknowledged, or is not for the endpoint.
    """

    __slots__ = (
        *("_batches", "_begin", "_busy", "_by_stream", "_later", "_open", "_taken", "_under_way"),
        *("_waits", "end"),
    )

    def __init__(
        self,
        position: Position,
        taken: Collection[Position],
        *,
        by_stream: bool = False,
        batches: Collection[DeliveryBatch] = (),
    ) -> None:
        """`taken`: positions above `position` that were acknowledged.

        `batches`: those that must come again as they were.
        """
        self.end = self._begin = position
        self._by_stream = by_stream
        self._open: dict[Position, JournalEntry] = {}  # not acknowledged, in order
        self._taken: set[Position] = set()  # acknowledged, up to `end`
        self._later = {each for each in taken if each > position}  # acknowledged, above `end`
        self._busy: set[str] = set()  # sequences with a delivery that has not ended
        self._waits: dict[str, float] = {}  # sequences that failed: not before this time
        self._batches = list(batches)  # not acknowledged
        self._under_way: set[DeliveryBatch] = set()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def first(self) -> JournalEntry | None:
        """The first event that was not acknowledged. None if there is none."""
        return next(iter(self._open.values()), None)

    @property
    def is_idle(self) -> bool:
        """True if no delivery is under way."""
        return not self._busy

    @property
    def room(self) -> int:
        """How many events can be added."""
        return max(0, WINDOW_EVENTS - len(self._open) - len(self._taken))

    @property
    def position(self) -> Position:
        """Everything up to it was acknowledged, or is not for the endpoint."""
        first = self.first
        return self.end if first is None else max(self._begin, parse_position(first.previous))

    @property
    def acknowledged(self) -> tuple[Position, ...]:
        """The events above `position` that were acknowledged."""
        position = self.position
        return tuple(sorted(each for each in self._taken | self._later if each > position))

    @property
    def batches(self) -> tuple[DeliveryBatch, ...]:
        """The batches that began and were not acknowledged."""
        return tuple(self._batches)

    @property
    def lacks_batch(self) -> bool:
        """True if events of a batch that must come again were not added yet."""
        return any(batch[-1] > self.end for batch in self._batches)

    def forget_missing(self) -> None:
        """Forget batches whose last events will not be added."""
        self._batches = [batch for batch in self._batches if batch[-1] <= self.end]

    def add(self, entry: JournalEntry) -> None:
        """Add the next event. One that was acknowledged before is only passed."""
        position = parse_position(entry.position)
        if position <= self.end:
            return
        was_taken = position in self._later
        self.passed(position)
        if not was_taken:
            self._open[position] = entry
        elif self._open:
            self._taken.add(position)

    def passed(self, position: Position) -> None:
        """Everything up to this position was added or is not for the endpoint."""
        self.end = max(self.end, position)
        if self._later:
            self._later = {each for each in self._later if each > self.end}

    def take(self, most: int, now: float = 0.0) -> Taken | None:
        """The next delivery, of at most `most` events. None if none may begin now."""
        if not self._open or (self._busy and not self._by_stream) or self.lacks_batch:
            return None
        closed = self._closed(now)
        if taken := self._batch_again(closed) or self._next(most, closed):
            self._busy |= taken.sequences
            if taken.batch:
                self._under_way.add(taken.batch)
        return taken

    def _batch_again(self, closed: set[str]) -> Taken | None:
        """A batch that was not acknowledged. Closes the sequences of those that must wait.

        If there are other events between its own, it cannot come again without breaking the order.
        Then it is forgotten. The reason is a loss of Redis, or that the owner changed the endpoint.
        """
        for batch in [each for each in self._batches if each not in self._under_way]:
            known = [self._open[each] for each in batch if each in self._open]
            sequences = frozenset(map(self._sequence, known))
            if sequences & closed:
                closed |= sequences
                continue
            entries = tuple(self._up_to(batch[-1], sequences))
            if known and len(entries) == len(known):
                return Taken(entries, sequences, batch)
            self._batches.remove(batch)
        return None

    def _up_to(self, last: Position, sequences: Set[str]) -> Iterator[JournalEntry]:
        for position, entry in self._open.items():
            if position > last:
                return
            if self._sequence(entry) in sequences:
                yield entry

    def _next(self, most: int, closed: Set[str]) -> Taken | None:
        entries: list[JournalEntry] = []
        sequences, size = set(), 0
        for entry in self._open.values():
            if (sequence := self._sequence(entry)) in closed:
                continue
            size += len(entry.body)
            if entries and size > BATCH_BYTES:
                break
            entries.append(entry)
            sequences.add(sequence)
            if len(entries) == most:
                break
        batch = tuple(parse_position(each.position) for each in entries) if most > 1 else ()
        if batch:
            self._batches.append(batch)
        return Taken(tuple(entries), frozenset(sequences), batch) if entries else None

    def opens_at(self, now: float) -> float | None:
        """When the next sequence that failed may be tried again. None if no sequence waits."""
        return min((until for until in self._waits.values() if until > now), default=None)

    def acknowledge(self, taken: Taken) -> None:
        """The receiver has these events. The next ones must wait until `free`."""
        for entry in taken.entries:
            position = parse_position(entry.position)
            if self._open.pop(position, None) is not None:
                self._taken.add(position)
        low = self.position
        self._taken = {each for each in self._taken if each > low}
        if taken.batch in self._batches:
            self._batches.remove(taken.batch)
        for sequence in taken.sequences:
            self._waits.pop(sequence, None)

    def hold(self, taken: Taken, until: float) -> None:
        """The delivery failed. With the order `stream`, other streams are delivered meanwhile."""
        if self._by_stream:
            self._waits |= dict.fromkeys(taken.sequences, until)

    def free(self, taken: Taken) -> None:
        """The delivery has ended, and its outcome is stored."""
        self._busy -= taken.sequences
        self._under_way.discard(taken.batch)

    def _closed(self, now: float) -> set[str]:
        return self._busy | {sequence for sequence, until in self._waits.items() if until > now}

    def _sequence(self, entry: JournalEntry) -> str:
        if not self._by_stream or not entry.topics or not is_stream_id(entry.topics[0]):
            return _OTHERS
        return entry.topics[0]


def last_of(entries: Sequence[JournalEntry]) -> Position:
    """The position of the last of these events."""
    return parse_position(entries[-1].position)
