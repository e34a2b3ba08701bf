"""The clock by Redis: within a round trip of it, whatever the machine's own clock says."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.instant import utc_text
from shared.redis.client import REDIS_UNAVAILABLE
from shared.redis.clock import MAX_SKEW_SECONDS, ClockReading, ClockUnknownError, RedisClock

T0 = 1_795_000_000.0


def moment(wall: float, monotonic: float | None = None) -> ClockReading:
    return ClockReading(time.monotonic() if monotonic is None else monotonic, wall)


def test_unknown_is_as_redis_away() -> None:
    with pytest.raises(ClockUnknownError):
        RedisClock()()
    assert issubclass(ClockUnknownError, REDIS_UNAVAILABLE)
    assert RedisClock().now() is None


@given(
    samples=st.lists(
        st.tuples(st.floats(0, 3), st.floats(0, 1), st.floats(-1e6, 1e6)), min_size=1, max_size=8
    )
)
def test_it_is_never_further_off_than_the_last_round_trip(
    samples: list[tuple[float, float, float]],
) -> None:
    clock = RedisClock()
    now = time.monotonic()
    for trip, share, jump in samples:  # Redis' clock is set, and answered somewhere on the way
        true = T0 + jump
        clock.set(true + trip * share, moment(T0, now), moment(T0 + trip, now + trip))
        told = clock() - (time.monotonic() - now)  # what it says of the moment `now`
        assert abs(told - true) <= trip + 1e-3


def test_the_machines_clock_may_be_set_without_it_moving(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = RedisClock()
    clock.set(T0, moment(T0), moment(T0))
    monkeypatch.setattr(time, "time", lambda: T0 + 1e6)
    assert 0 <= clock() - T0 < 1


@pytest.mark.parametrize(
    ("wall", "word"), [(T0 + 3600, "3600.0 s ahead"), (T0 - 60, "60.0 s behind")]
)
def test_a_skew_names_both_clocks_and_the_difference(wall: float, word: str) -> None:
    clock = RedisClock()
    clock.set(T0, moment(wall), moment(wall))
    assert clock.skew_error is not None
    for part in (utc_text(wall), utc_text(T0), word, "NTP"):
        assert part in clock.skew_error
    assert clock.skew == pytest.approx(wall - T0)
    clock.set(T0, moment(T0), moment(T0))
    assert clock.skew_error is None


@pytest.mark.parametrize(
    ("before", "after", "wrong"),
    [
        (
            -MAX_SKEW_SECONDS - 2,
            MAX_SKEW_SECONDS + 2,
            False,
        ),  # a slow answer proves nothing
        (MAX_SKEW_SECONDS - 0.1, MAX_SKEW_SECONDS + 3, False),
        (MAX_SKEW_SECONDS + 0.1, MAX_SKEW_SECONDS + 3, True),
        (-MAX_SKEW_SECONDS - 3, -MAX_SKEW_SECONDS - 0.1, True),
    ],
)
def test_only_what_is_proved_counts(before: float, after: float, wrong: bool) -> None:
    clock = RedisClock()
    clock.set(T0, moment(T0 + before), moment(T0 + after))
    assert (clock.skew_error is not None) is wrong


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 1e30])
def test_a_time_that_is_none_is_shown_as_it_is(seconds: float) -> None:
    assert utc_text(seconds) == str(seconds)
