"""Records which data a run has really lost. The checker accepts no other loss. Pure.

Three things can be lost for good: ledgers that no source has any longer, single entries of the
journal, and all data of Redis. Each is known exactly, so each gap or reset that a client gets must
match, and all other events must be delivered.

See docs/decisions/0058-chaos-records-what-is-lost.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from shared.domain.position import END, START, Position, parse_position
from shared.journal.wire import JournalEntry
from tests.chaos.checker import ExpectedEvent, ReceivedFrame, Span
from tests.chaos.losses import Loss

_NOTICED = 3.0
"""Seconds within which all parts have noticed that Redis is empty."""


@dataclass(frozen=True, slots=True)
class LostJournal:
    """A journal that was lost with all data of Redis, with its entries at that Unix time.

    `began` is the position before its first entry.
    """

    at: float
    began: Position
    entries: Sequence[JournalEntry]

    @property
    def top(self) -> Position:
        """The position of its last entry."""
        return parse_position(self.entries[-1].position) if self.entries else self.began


@dataclass(slots=True)
class LostData:
    """All losses of a run. `rewound` has the times when the cursor of the source may move back.

    `commands` counts, by stream, the commands of the API that may have been carried out in a lost
    journal: the first request had no answer, and a later one was refused because of the loss.
    """

    ledgers: list[range] = field(default_factory=list)
    entries: list[JournalEntry] = field(default_factory=list)
    journals: list[LostJournal] = field(default_factory=list)
    rewound: list[Loss] = field(default_factory=list)
    commands: Counter[str] = field(default_factory=Counter)

    def spans(self, began: Position) -> list[Span]:
        """The positions that a gap may cover. `began` is the start of the current journal."""
        return [
            *((Position(each.start << 32, 0), _end(each.stop - 1)) for each in self.ledgers),
            *((position, position) for position in map(_position_of, self.entries)),
            *((START, each) for _, each in self.begins(began)),
        ]

    def begins(self, began: Position) -> list[tuple[float, Position]]:
        """The Unix time of each loss of all data, and the start of the journal after it."""
        nexts = [*(lost_journal.began for lost_journal in self.journals), began][1:]
        return [
            (lost_journal.at, each) for lost_journal, each in zip(self.journals, nexts, strict=True)
        ]

    @property
    def losses(self) -> list[Loss]:
        """Everything that was published before a loss of all data was at risk."""
        return [Loss(0.0, lost_journal.at + _NOTICED) for lost_journal in self.journals]

    def everything(self, journal: Iterable[JournalEntry]) -> list[JournalEntry]:
        """The entries of all journals, in order. `journal` is the current one."""
        old = chain.from_iterable(lost_journal.entries for lost_journal in self.journals)
        kept = {each.position: each for each in chain(old, self.entries, journal)}
        return sorted(kept.values(), key=_position_of)

    @property
    def held(self) -> set[Position]:
        """All positions that were lost with all data of Redis."""
        return {
            _position_of(each) for lost_journal in self.journals for each in lost_journal.entries
        }

    def data_loss(self, journal: Iterable[JournalEntry]) -> dict[Position, float]:
        """The positions that only lost journals have, with the time of the loss."""
        gone = {
            _position_of(each): lost_journal.at
            for lost_journal in self.journals
            for each in lost_journal.entries
        }
        there = set(map(_position_of, journal))
        return {position: at for position, at in gone.items() if position not in there}


def _position_of(entry: JournalEntry) -> Position:
    return parse_position(entry.position)


def _end(ledger: int) -> Position:
    return Position((ledger + 1 << 32) - 1, END.n)


def due_to(
    frames: Sequence[ReceivedFrame],
    facts: Sequence[ExpectedEvent],
    data_loss: Collection[Position],
    lost: LostData,
    began: float,
) -> list[ExpectedEvent]:
    """The expected events of one client.

    An event that is gone was due until its loss, up to the position that the client had reached
    then. `began` is the Unix time of second 0 of the frames.
    """
    due = {each.position for each in frames}
    for lost_journal in lost.journals:
        reached = max((t.position for t in frames if began + t.at < lost_journal.at), default=START)
        due |= {
            position for position in map(_position_of, lost_journal.entries) if position <= reached
        }
    return [fact for fact in facts if fact.position not in data_loss or fact.position in due]
