"""The schedule of retries, with a clock of the test."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webhooks.delivering.retries import (
    MOST_SECONDS,
    failed,
    is_given_up,
    succeeded,
    wait_bound,
    wait_seconds,
)
from shared.domain.position import Position
from shared.webhooks.progress import Progress

WELL = Progress(1, Position(7, 1))
DAY = 86_400.0


def test_the_waits_double_up_to_an_hour() -> None:
    assert [wait_bound(n) for n in range(1, 15)] == [2.0**n for n in range(12)] + [3600.0] * 2


@given(failures=st.integers(1, 10_000), chance=st.floats(0, 1), asked=st.floats(0, 1e9))
def test_a_wait_is_never_longer_than_an_hour(failures: int, chance: float, asked: float) -> None:
    wait = wait_seconds(failures, chance, asked)
    assert min(asked, MOST_SECONDS) <= wait <= MOST_SECONDS
    assert wait_seconds(failures, chance, None) <= wait_bound(failures)


@pytest.mark.parametrize("days", [1.0, 3.0])
def test_a_receiver_that_always_fails_is_given_up_after_days(days: float) -> None:
    now, progress, attempts = 1_000.0, WELL, 0
    while not is_given_up(progress, now, days):
        progress = failed(progress, now, 0.5, None)
        assert progress.retry_at is not None
        now, attempts = progress.retry_at, attempts + 1
    assert days * DAY <= now - 1_000.0 <= days * DAY + MOST_SECONDS
    assert 48 * days < attempts < 48 * days + 15, "about twice an hour, with half of each bound"
    assert (progress.failing_since, progress.failures) == (1_000.0, attempts)


def test_an_acknowledgement_ends_the_failure() -> None:
    progress = failed(failed(WELL, 5.0, 1.0, None), 9.0, 1.0, 60.0)
    assert (progress.failures, progress.failing_since, progress.retry_at) == (2, 5.0, 69.0)
    assert succeeded(progress) == WELL
    assert not is_given_up(WELL, 1e12, 3.0)
