"""A straight line through samples, and whether what it shows is growth. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

Samples = Sequence[tuple[float, float]]
"""Seconds and a value, of which there are at least three at different times."""


@dataclass(frozen=True, slots=True)
class Line:
    """Least squares: growth in units a second, and its standard error."""

    slope: float
    error: float

    def sure_growth(self, seconds: float) -> float:
        """What grew for certain in that time: the slope, two standard errors less."""
        return max(0.0, self.slope - 2 * self.error) * seconds


def line(samples: Samples) -> Line:
    """The line that lies closest to the samples."""
    count = len(samples)
    mean_x = sum(x for x, _ in samples) / count
    mean_y = sum(y for _, y in samples) / count
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread
    misses = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in samples)
    return Line(slope, sqrt(misses / (count - 2) / spread))


def settled(samples: Samples, share: float = 1 / 3, most: float = 600.0) -> Samples:
    """What is left of the samples without the warm-up: a third of the time, ten minutes at most."""
    first, last = samples[0][0], samples[-1][0]
    begins = first + min(most, (last - first) * share)
    return [sample for sample in samples if sample[0] >= begins]
