"""Ranges of positions, and what one read of such a range has found. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shared.domain.position import END, START, Position
from shared.journal.wire import JournalEntry


@dataclass(frozen=True, slots=True)
class PositionRange:
    """A range of positions. Both ends are exclusive."""

    after: Position = START
    before: Position = END

    def up_to(self, position: Position) -> PositionRange:
        """The part of the range up to and including a position."""
        return PositionRange(self.after, min(self.before, just_after(position)))

    def above(self, position: Position) -> PositionRange:
        """The part of the range above a position."""
        return PositionRange(max(self.after, position), self.before)

    @property
    def empty(self) -> bool:
        """True if the range is empty. Do not read such a range: Redis returns an error for it."""
        return self.after >= self.before

    def beyond(self, position: Position, *, newest_first: bool) -> PositionRange:
        """The rest of the range, after everything up to this position was read."""
        if newest_first:
            return PositionRange(self.after, position)
        return PositionRange(position, self.before)


MissingRange = tuple[Position, Position]
"""A range of missing events: after the first position, up to and including the second."""


class RangeRead(NamedTuple):
    """Entries in the order of the page, None for a missing entry.

    `rest` is what remains of the range after these rows; None if nothing remains. `overhead` is
    the number of bytes that were read from the topic index.
    """

    rows: Sequence[tuple[Position, JournalEntry | None]]
    missing: list[MissingRange]
    rest: PositionRange | None
    overhead: int = 0


class OldEnd(NamedTuple):
    """Where a history begins. `is_beginning` is True if there was never an event before."""

    position: Position
    is_beginning: bool


def just_before(position: Position) -> Position:
    """The highest position below this one."""
    if position.n:
        return Position(position.toid, position.n - 1)
    return Position(position.toid - 1, END.n)


def just_after(position: Position) -> Position:
    """The lowest position above this one."""
    if position.n < END.n:
        return Position(position.toid, position.n + 1)
    return Position(position.toid + 1, 0)
