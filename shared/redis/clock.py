"""The time by Redis' clock: one clock for all processes, whatever their machines say.

Redis is asked once a second (shared.journal.namespace); in between the monotonic clock counts on.
So setting the machine's clock changes nothing. The difference between the machine's clock and that
of Redis is measured too: beyond `MAX_SKEW_SECONDS` one of the two is wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from redis.exceptions import ConnectionError as RedisConnectionError

from shared.domain.instant import utc_text

Clock = Callable[[], float]
"""Unix seconds."""

MAX_SKEW_SECONDS = 5.0
"""Seconds by which the machine's clock may differ from Redis' before the service is unready."""


class ClockUnknownError(RedisConnectionError):
    """Redis has not answered TIME yet; callers treat this as Redis being away."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The machine's two clocks, read together."""

    monotonic: float
    wall: float

    @classmethod
    def now(cls) -> ClockReading:
        """Read both."""
        return cls(time.monotonic(), time.time())


class RedisClock:
    """A Clock: call it for Unix seconds. Raises ClockUnknownError until Redis has answered once."""

    def __init__(self) -> None:
        self._offset: float | None = None  # Redis' time minus the monotonic clock
        self._least = self._most = 0.0  # the skew is between these
        self._trouble: str | None = None

    def __call__(self) -> float:
        """Unix seconds. Raises ClockUnknownError."""
        if self._offset is None:
            raise ClockUnknownError("the time is not known yet: Redis has not answered")
        return time.monotonic() + self._offset

    def now(self) -> float | None:
        """Unix seconds; None until Redis has answered once."""
        return None if self._offset is None else self()

    @property
    def skew(self) -> float:
        """Seconds by which the machine's clock is ahead of Redis'; negative when it is behind."""
        return (self._least + self._most) / 2

    @property
    def skew_error(self) -> str | None:
        """Why the clocks cannot both be right, for the operator; None when they agree."""
        return self._trouble

    def set(self, redis: float, asked: ClockReading, answered: ClockReading) -> None:
        """Redis answered `redis` (Unix seconds) at some moment between `asked` and `answered`.

        So the true offset lies between two bounds. The offset in use is only moved when it is
        outside of them. The clock never steps without need, and its error is one round trip.
        """
        low, high = redis - answered.monotonic, redis - asked.monotonic
        self._offset = low if self._offset is None else min(max(self._offset, low), high)
        self._least, self._most = asked.wall - redis, answered.wall - redis
        wrong = self._least > MAX_SKEW_SECONDS or self._most < -MAX_SKEW_SECONDS
        self._trouble = self._sentence(redis, answered.wall) if wrong else None

    def _sentence(self, redis: float, wall: float) -> str:
        word = "ahead" if self.skew > 0 else "behind"
        return (
            f"this machine's clock shows {utc_text(wall)}, the clock of Redis {utc_text(redis)}: "
            f"this machine is {abs(self.skew):.1f} s {word}, and {MAX_SKEW_SECONDS:.0f} s are "
            "allowed; correct the clock that is wrong (NTP)"
        )
