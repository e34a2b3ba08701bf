"""The line through samples, and which slopes count as growth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.soak.slope import line, without_warm_up

TIMES = st.lists(st.integers(0, 10_000), min_size=3, unique=True)


@given(st.floats(-100, 100), st.floats(-1e3, 1e3), TIMES)
def test_the_slope_of_a_straight_line_is_exact(
    slope: float, start: float, times: list[int]
) -> None:
    found = line([(t, start + slope * t) for t in times])
    assert found.slope == pytest.approx(slope, abs=1e-6)
    assert found.error == pytest.approx(0, abs=1e-3)


def test_growth_is_found_in_noise_and_noise_alone_is_no_growth() -> None:
    noise = [(float(t), 50.0 + (t * 7919 % 13) / 13) for t in range(600)]
    assert line(noise).sure_growth(600) < 0.1
    growing = [(t, value + t * 0.01) for t, value in noise]
    assert line(growing).sure_growth(600) == pytest.approx(6, abs=0.3)


def test_a_decrease_is_no_growth() -> None:
    assert line([(0, 9.0), (1, 5.0), (2, 1.0)]).sure_growth(100) == 0


def test_the_warm_up_is_a_third_of_the_time_up_to_ten_minutes() -> None:
    assert without_warm_up([(float(t), 0.0) for t in range(91)])[0][0] == 30
    assert without_warm_up([(float(t), 0.0) for t in range(0, 3601, 10)])[0][0] == 600
