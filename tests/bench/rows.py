"""A row of a benchmark: what was measured, the value of each run, and the goal."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher"]


@dataclass(frozen=True, slots=True)
class Row:
    """One measured quantity. `key` is unique in its case, `runs` has one value for each run.

    `runs` is empty if the quantity could not be measured, such as that of a peer that is not
    installed. `ratio` says that the values are ratios to a floor or a peer that was measured in the
    same run. Only ratios are compared with the committed result, because they do not depend much on
    the machine.
    """

    key: str
    what: str
    unit: str
    runs: tuple[float, ...]
    goal: float | None = None
    better: Better = "lower"
    ratio: bool = False

    @property
    def median(self) -> float:
        """The median of the runs. Raises statistics.StatisticsError if there are none."""
        return statistics.median(self.runs)

    @property
    def reached(self) -> bool | None:
        """Whether the median is at least as good as the goal. None without a goal or a run."""
        if self.goal is None or not self.runs:
            return None
        return self.median <= self.goal if self.better == "lower" else self.median >= self.goal


def row(
    key: str,
    what: str,
    unit: str,
    runs: Sequence[float],
    goal: float | None = None,
    *,
    better: Better = "lower",
) -> Row:
    """An absolute quantity."""
    return Row(key, what, unit, tuple(runs), goal, better)


def ratio(
    key: str, what: str, ours: Sequence[float], theirs: Sequence[float], goal: float | None = None
) -> Row:
    """Our cost divided by the other program's, run by run, because both ran in turn.

    Without a value of the other program the row has no runs.
    """
    pairs = zip(ours, theirs, strict=bool(theirs))
    return Row(key, what, "", tuple(a / b for a, b in pairs), goal, ratio=True)
