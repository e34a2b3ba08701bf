"""Spreading: chance, so that clients do not come back in lock-step, and a limit when they do."""

from __future__ import annotations

import random


def jittered(milliseconds: int) -> int:
    """50–150 % of it."""
    return random.randint(milliseconds // 2, milliseconds * 3 // 2)


class Rate:
    """So many a second, and as many at once; 0 allows any number. Pure: time is an argument."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._left = float(per_second)
        self._at = 0.0

    def allows(self, now: float) -> bool:
        """Whether one more may come now; counts it if so."""
        if not self._per_second:
            return True
        self._left = min(self._per_second, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
