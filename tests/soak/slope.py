"""A straight line through samples, and whether its slope is growth. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

Samples = Sequence[tuple[float, float]]
"""Pairs of seconds and a value, at three or more different times."""


@dataclass(frozen=True, slots=True)
class Line:
    """A least squares line: its slope in units a second, and the standard error of the slope."""

    slope: float
    error: float

    def sure_growth(self, seconds: float) -> float:
        """The certain growth in this time: the slope minus two standard errors."""
        return max(0.0, self.slope - 2 * self.error) * seconds


def line(samples: Samples) -> Line:
    """The line with the smallest squared distance to the samples."""
    count = len(samples)
    mean_x = sum(x for x, _ in samples) / count
    mean_y = sum(y for _, y in samples) / count
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread
    misses = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in samples)
    return Line(slope, sqrt(misses / (count - 2) / spread))


def without_warm_up(samples: Samples, share: float = 1 / 3, most: float = 600.0) -> Samples:
    """The samples after the warm-up, which is a third of the time, but at most ten minutes."""
    first, last = samples[0][0], samples[-1][0]
    begins = first + min(most, (last - first) * share)
    return [sample for sample in samples if sample[0] >= begins]
