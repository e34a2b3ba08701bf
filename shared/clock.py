"""Time by Redis' clock: one clock for all processes, whatever their machines say.

It is measured once a second (shared.namespace) and goes on by the monotonic clock in between, so a
clock that somebody sets on this machine changes nothing. How far the machine's own clock is from
Redis' is measured along the way: beyond `MOST_SKEW` one of the two is wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from redis.exceptions import ConnectionError as RedisConnectionError

Clock = Callable[[], float]
"""Unix seconds."""

MOST_SKEW = 5.0
"""Seconds by which the machine's clock may differ from Redis' before the service is unready."""


class ClockUnknown(RedisConnectionError):
    """Redis has not told the time yet; callers treat it as Redis being away."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The machine's two clocks, read together."""

    monotonic: float
    wall: float

    @classmethod
    def now(cls) -> Moment:
        """Both, as they are."""
        return cls(time.monotonic(), time.time())


class RedisClock:
    """Call it for Unix seconds. Raises ClockUnknown until it was measured once."""

    def __init__(self) -> None:
        self._offset: float | None = None  # Redis' time minus the monotonic clock
        self._least = self._most = 0.0  # the skew is between these
        self._trouble: str | None = None

    def __call__(self) -> float:
        """Now, in Unix seconds."""
        if self._offset is None:
            raise ClockUnknown("the time is not known yet: Redis has not answered")
        return time.monotonic() + self._offset

    @property
    def known(self) -> bool:
        """Whether it was measured at least once."""
        return self._offset is not None

    @property
    def skew(self) -> float:
        """Seconds by which the machine's clock is ahead of Redis'; negative when it is behind."""
        return (self._least + self._most) / 2

    @property
    def trouble(self) -> str | None:
        """Why the clocks cannot both be right, for the operator; None when they agree."""
        return self._trouble

    def set(self, redis: float, asked: Moment, answered: Moment) -> None:
        """Redis said `redis` (Unix seconds) at some moment between these two.

        So the true offset lies between two bounds. The one we have is kept while it does too: the
        clock takes no step that is not proved, and differs by no more than one round trip.
        """
        low, high = redis - answered.monotonic, redis - asked.monotonic
        self._offset = low if self._offset is None else min(max(self._offset, low), high)
        self._least, self._most = asked.wall - redis, answered.wall - redis
        wrong = self._least > MOST_SKEW or self._most < -MOST_SKEW
        self._trouble = self._sentence(redis, answered.wall) if wrong else None

    def _sentence(self, redis: float, wall: float) -> str:
        word = "ahead" if self.skew > 0 else "behind"
        return (
            f"the clock of this machine says {utc(wall)} and that of Redis {utc(redis)}: it is "
            f"{abs(self.skew):.1f} s {word}, and {MOST_SKEW:.0f} s are allowed; set the clock "
            "that is wrong (NTP)"
        )


def utc(seconds: float) -> str:
    """Unix seconds as people read them. Any number: one that is no date stays a number."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(seconds)
