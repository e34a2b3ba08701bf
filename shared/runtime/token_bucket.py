"""A limit per second. Pure."""

from __future__ import annotations


class TokenBucket:
    """A bucket of `per_second` tokens that gets as many new tokens each second. 0: no limit."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._left = float(per_second)
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Take a token. False if none is left. `now` is a monotonic time in seconds."""
        if not self._per_second:
            return True
        self._left = min(self._per_second, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
