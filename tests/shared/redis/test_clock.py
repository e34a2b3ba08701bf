"""The clock of Redis is known to within one round trip and ignores the machine's clock."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.instant import utc_text
from shared.redis.client import REDIS_UNAVAILABLE
from shared.redis.clock import MAX_SKEW_SECONDS, ClockReading, ClockUnknownError, RedisClock

T0 = 1_795_000_000.0


def moment(wall: float, monotonic: float | None = None) -> ClockReading:
    return ClockReading(time.monotonic() if monotonic is None else monotonic, wall)


def test_an_unknown_time_is_handled_like_an_unavailable_redis() -> None:
    with pytest.raises(ClockUnknownError):
        RedisClock()()
    assert issubclass(ClockUnknownError, REDIS_UNAVAILABLE)
    assert RedisClock().now() is None


@given(
    samples=st.lists(
        st.tuples(st.floats(0, 3), st.floats(0, 1), st.floats(-1e6, 1e6)), min_size=1, max_size=8
    )
)
def test_the_error_is_at_most_the_last_round_trip(
    samples: list[tuple[float, float, float]],
) -> None:
    clock = RedisClock()
    now = 1000.0
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr("shared.redis.clock.time", SimpleNamespace(monotonic=lambda: now))
        for (
            trip,
            share,
            jump,
        ) in samples:  # the clock of Redis jumps; Redis answers during the round trip
            true = T0 + jump
            clock.set(true + trip * share, moment(T0, now), moment(T0 + trip, now + trip))
            assert abs(clock() - true) <= trip + 1e-3  # the estimate for the time `now`


def test_setting_the_machines_clock_has_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = RedisClock()
    began = time.monotonic()
    clock.set(T0, moment(T0), moment(T0))
    monkeypatch.setattr(time, "time", lambda: T0 + 1e6)
    passed = clock() - T0
    assert 0 <= passed < time.monotonic() - began + 1e-3


@pytest.mark.parametrize(
    ("wall", "difference"), [(T0 + 3600, "3600.0 s ahead"), (T0 - 60, "60.0 s behind")]
)
def test_a_skew_error_shows_both_clocks_and_the_difference(wall: float, difference: str) -> None:
    clock = RedisClock()
    clock.set(T0, moment(wall), moment(wall))
    assert clock.skew_error is not None
    for part in (utc_text(wall), utc_text(T0), difference, "NTP"):
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
def test_a_skew_counts_only_when_the_round_trip_proves_it(
    before: float, after: float, wrong: bool
) -> None:
    clock = RedisClock()
    clock.set(T0, moment(T0 + before), moment(T0 + after))
    assert (clock.skew_error is not None) is wrong


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 1e30])
def test_a_number_that_is_not_a_date_is_shown_as_a_number(seconds: float) -> None:
    assert utc_text(seconds) == str(seconds)
