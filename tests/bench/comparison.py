"""Whether a row is worse than the committed result by more than the noise.

See docs/decisions/0091-only-ratios-can-regress.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.rows import Row

_FEWEST = 3
"""With fewer runs nothing is known about the noise, so nothing is compared."""

_SMALLEST = 0.05
"""A smaller change of the median is no regression: ratios of two quiet evenings differ so much."""


def change(row: Row, before: Sequence[float]) -> float | None:
    """The change of the median, 0.1 for ten percent more. None without a value to compare with."""
    if not before or not row.runs or not (base := _median(before)):
        return None
    return row.median / base - 1


def is_regression(row: Row, before: Sequence[float]) -> bool:
    """Whether a ratio got worse and its noise cannot explain that.

    The noise is the spread of the runs, in this result and in the committed one (`before`). So even
    the best run of now must be worse than the worst run of the committed result. If nothing had
    changed, five runs against five would show this with a probability of 1/252.
    """
    if not row.ratio or min(len(row.runs), len(before)) < _FEWEST:
        return False
    moved = change(row, before) or 0.0
    if row.better == "lower":
        return moved > _SMALLEST and min(row.runs) > max(before)
    return -moved > _SMALLEST and max(row.runs) < min(before)


def _median(values: Sequence[float]) -> float:
    return Row("", "", "", tuple(values)).median
