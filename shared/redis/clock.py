"""The clock of Redis, which all processes use instead of the clocks of their machines.

shared.journal.namespace reads Redis' clock once a second. Between two reads, the monotonic clock
adds the time that has passed, so a change of the machine's clock has no effect. The difference to
the machine's clock (the skew) is measured too. If it is above `MAX_SKEW_SECONDS`, one of the two
clocks is wrong.

See docs/decisions/0054-redis-clock-decides.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from redis.exceptions import ConnectionError as RedisConnectionError

from shared.domain.instant import utc_text

Clock = Callable[[], float]
"""Returns Unix seconds."""

MAX_SKEW_SECONDS = 5.0
"""If the skew is larger, the service is not ready."""


class ClockUnknownError(RedisConnectionError):
    """Redis has not answered TIME yet. Callers handle this error like an unreachable Redis."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The machine's monotonic clock and its wall clock, read at the same time."""

    monotonic: float
    wall: float

    @classmethod
    def now(cls) -> ClockReading:
        """Read both clocks."""
        return cls(time.monotonic(), time.time())


class RedisClock:
    """A Clock that estimates the clock of Redis from its last answers."""

    def __init__(self) -> None:
        self._offset: float | None = None  # the clock of Redis minus the monotonic clock
        self._min_skew = self._max_skew = 0.0  # lower and upper bound of the skew
        self._skew_error: str | None = None

    def __call__(self) -> float:
        """Unix seconds. Raises ClockUnknownError until Redis has answered once."""
        if self._offset is None:
            raise ClockUnknownError("the time is not known yet, because Redis has not answered")
        return time.monotonic() + self._offset

    def now(self) -> float | None:
        """Unix seconds; None until Redis has answered once."""
        return None if self._offset is None else self()

    @property
    def skew(self) -> float:
        """Seconds by which the machine's clock is ahead of Redis; negative if it is behind."""
        return (self._min_skew + self._max_skew) / 2

    @property
    def skew_error(self) -> str | None:
        """A sentence for the operator when the skew is too large, else None."""
        return self._skew_error

    def set(self, redis: float, asked: ClockReading, answered: ClockReading) -> None:
        """Set the time from an answer of Redis: `redis`, in Unix seconds.

        `asked` and `answered` are the machine's clocks before and after the call. They give a lower
        and an upper bound of the true offset. The offset in use changes only when it is outside of
        these bounds. So the clock does not jump at each answer, and its error is at most one round
        trip.
        """
        low, high = redis - answered.monotonic, redis - asked.monotonic
        self._offset = low if self._offset is None else min(max(self._offset, low), high)
        self._min_skew, self._max_skew = asked.wall - redis, answered.wall - redis
        wrong = self._min_skew > MAX_SKEW_SECONDS or self._max_skew < -MAX_SKEW_SECONDS
        self._skew_error = self._sentence(redis, answered.wall) if wrong else None

    def _sentence(self, redis: float, wall: float) -> str:
        direction = "ahead" if self.skew > 0 else "behind"
        return (
            f"this machine's clock shows {utc_text(wall)}, the clock of Redis {utc_text(redis)}: "
            f"this machine is {abs(self.skew):.1f} s {direction}, and {MAX_SKEW_SECONDS:.0f} s are "
            "allowed; correct the clock that is wrong (NTP)"
        )
