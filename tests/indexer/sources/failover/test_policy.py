"""The policy of two sources: when a switch is worth it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.indexer.reasons import SwitchReason
from services.indexer.sources.failover.policy import FailoverPolicy


def judge() -> FailoverPolicy:
    return FailoverPolicy("rpc", "horizon")


def test_one_failure_is_no_reason_to_switch() -> None:
    one = judge()
    one.failed("rpc")
    assert one.reason_to_switch() is None
    one.succeeded("rpc")
    one.failed("rpc")
    assert one.reason_to_switch() is None
    one.failed("rpc")
    assert one.reason_to_switch() is SwitchReason.FAILING


def test_a_long_retry_after_is_a_reason_to_switch() -> None:
    one = judge()
    one.failed("rpc", wait=5)
    assert one.reason_to_switch() is None
    one.succeeded("rpc")
    one.failed("rpc", wait=3600)
    assert one.reason_to_switch() is SwitchReason.FAILING


def test_a_source_with_more_failures_is_not_chosen() -> None:
    one = judge()
    for _ in range(3):
        one.failed("horizon")
    one.failed("rpc")
    one.failed("rpc")
    assert one.reason_to_switch() is None
    one.failed("rpc")
    one.failed("rpc")
    assert one.reason_to_switch() is SwitchReason.FAILING


def test_an_unable_source_is_left_at_once_and_never_chosen() -> None:
    one = judge()
    one.mark_unable("rpc")
    assert one.reason_to_switch() is SwitchReason.UNABLE
    one.switch()
    assert (one.active, one.other) == ("horizon", "rpc")
    for _ in range(9):
        one.failed("horizon")
    assert one.reason_to_switch() is None
    one.succeeded("rpc")
    assert one.reason_to_switch() is SwitchReason.FAILING


def test_a_source_is_stalled_if_its_cursor_stands_and_the_other_is_far_ahead() -> None:
    one = judge()
    for _ in range(3):
        assert (
            one.compare_progress(100, 1, 110) is None
        )  # the first comparison cannot show that the cursor stands
    assert one.compare_progress(100, 2, 110) is None  # the cursor moves
    for _ in range(5):
        assert one.compare_progress(100, 2, 105) is None  # the other source is not far ahead
    assert one.compare_progress(100, 2, 106) is SwitchReason.STALLED
    one.switch()
    for _ in range(3):
        assert one.compare_progress(100, 2, 110) is None  # each gets a chance after a switch
    assert one.compare_progress(100, 2, 110) is SwitchReason.STALLED


def test_a_backfill_is_not_stalled() -> None:
    one = judge()
    assert all(one.compare_progress(n, n << 32, 1_000_000) is None for n in range(1, 1000))


@given(st.lists(st.sampled_from(["works", "failed", "cannot"]), max_size=40), st.data())
def test_no_switch_to_an_unable_source_or_away_from_a_working_one(
    steps: list[str], data: st.DataObject
) -> None:
    one = judge()
    for step in steps:
        name = data.draw(st.sampled_from(["rpc", "horizon"]))
        getattr(one, step)(name)
        if (why := one.reason_to_switch()) is None:
            continue
        assert not (step == "works" and name == one.active)
        assert not (step == "cannot" and name == one.other)
        assert why in (SwitchReason.FAILING, SwitchReason.UNABLE)
        one.switch()
