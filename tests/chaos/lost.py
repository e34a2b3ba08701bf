"""What a run has really lost. The faults note it here, and the checker accepts nothing else. Pure.

Three things can be lost for good: ledgers that no source has any more, single entries of the
journal, and everything that Redis held. Each is known exactly, so a gap or a reset that a client is
told has to fit, and what was not lost has to be delivered.

See docs/decisions/0058-chaos-records-what-is-lost.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from shared.domain.position import END, START, Position, parse_position
from shared.journal.wire import JournalEntry
from tests.chaos.checker import ExpectedEvent, ReceivedFrame, Span
from tests.chaos.losses import Loss

_NOTICED = 3.0
"""Seconds within which every part has noticed that Redis is empty."""


@dataclass(frozen=True, slots=True)
class LostJournal:
    """A journal that was lost with all that Redis held: at that Unix time it held these entries.

    `began` is the position before its first entry.
    """

    at: float
    began: Position
    entries: Sequence[JournalEntry]

    @property
    def top(self) -> Position:
        """Of the last entry."""
        return parse_position(self.entries[-1].position) if self.entries else self.began


@dataclass(slots=True)
class LostData:
    """`rewound` are the times at which the source's cursor may move back."""

    ledgers: list[range] = field(default_factory=list)
    entries: list[JournalEntry] = field(default_factory=list)
    journals: list[LostJournal] = field(default_factory=list)
    rewound: list[Loss] = field(default_factory=list)

    def spans(self, began: Position) -> list[Span]:
        """Positions of which a gap may be told. `began`: of the journal that is there now."""
        return [
            *((Position(each.start << 32, 0), _end(each.stop - 1)) for each in self.ledgers),
            *((place, place) for place in map(_place, self.entries)),
            *((START, each) for _, each in self.begins(began)),
        ]

    def begins(self, began: Position) -> list[tuple[float, Position]]:
        """When everything was lost, in Unix seconds, and where the journal after that began."""
        nexts = [*(whole.began for whole in self.journals), began][1:]
        return [(whole.at, each) for whole, each in zip(self.journals, nexts, strict=True)]

    @property
    def losses(self) -> list[Loss]:
        """All that was published before everything was lost was at risk."""
        return [Loss(0.0, whole.at + _NOTICED) for whole in self.journals]

    def everything(self, journal: Iterable[JournalEntry]) -> list[JournalEntry]:
        """What was ever in a journal, in order. `journal`: the one that is there now."""
        old = chain.from_iterable(whole.entries for whole in self.journals)
        kept = {each.position: each for each in chain(old, self.entries, journal)}
        return sorted(kept.values(), key=_place)

    @property
    def held(self) -> set[Position]:
        """Positions of all that was lost with everything."""
        return {_place(each) for whole in self.journals for each in whole.entries}

    def data_loss(self, journal: Iterable[JournalEntry]) -> dict[Position, float]:
        """Positions of a lost journal that are not in the one that is there now, and when."""
        gone = {_place(each): whole.at for whole in self.journals for each in whole.entries}
        there = set(map(_place, journal))
        return {place: at for place, at in gone.items() if place not in there}


def _place(entry: JournalEntry) -> Position:
    return parse_position(entry.position)


def _end(ledger: int) -> Position:
    return Position((ledger + 1 << 32) - 1, END.n)


def due_to(
    told: Sequence[ReceivedFrame],
    facts: Sequence[ExpectedEvent],
    data_loss: Collection[Position],
    lost: LostData,
    began: float,
) -> list[ExpectedEvent]:
    """The facts that one client was to be told.

    What is void was due until Redis lost it: up to the position that the client had come to then.
    `began` is the Unix time of the frames' second 0.
    """
    due = {each.position for each in told}
    for whole in lost.journals:
        reached = max((t.position for t in told if began + t.at < whole.at), default=START)
        due |= {place for place in map(_place, whole.entries) if place <= reached}
    return [fact for fact in facts if fact.position not in data_loss or fact.position in due]
