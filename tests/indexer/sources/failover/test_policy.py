"""The policy of two sources: when a switch is worth it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.indexer.reasons import SwitchReason
from services.indexer.sources.failover.policy import FailoverPolicy


def new_policy() -> FailoverPolicy:
    return FailoverPolicy("rpc", "horizon")


def test_one_failure_is_no_reason_to_switch() -> None:
    policy = new_policy()
    policy.failed("rpc")
    assert policy.reason_to_switch() is None
    policy.succeeded("rpc")
    policy.failed("rpc")
    assert policy.reason_to_switch() is None
    policy.failed("rpc")
    assert policy.reason_to_switch() is SwitchReason.FAILING


def test_a_long_retry_after_is_a_reason_to_switch() -> None:
    policy = new_policy()
    policy.failed("rpc", wait=5)
    assert policy.reason_to_switch() is None
    policy.succeeded("rpc")
    policy.failed("rpc", wait=3600)
    assert policy.reason_to_switch() is SwitchReason.FAILING


def test_a_source_with_more_failures_is_not_chosen() -> None:
    policy = new_policy()
    for _ in range(3):
        policy.failed("horizon")
    policy.failed("rpc")
    policy.failed("rpc")
    assert policy.reason_to_switch() is None
    policy.failed("rpc")
    policy.failed("rpc")
    assert policy.reason_to_switch() is SwitchReason.FAILING


def test_an_unable_source_is_left_at_once_and_never_chosen() -> None:
    policy = new_policy()
    policy.mark_unable("rpc")
    assert policy.reason_to_switch() is SwitchReason.UNABLE
    policy.switch()
    assert (policy.active, policy.other) == ("horizon", "rpc")
    for _ in range(9):
        policy.failed("horizon")
    assert policy.reason_to_switch() is None
    policy.succeeded("rpc")
    assert policy.reason_to_switch() is SwitchReason.FAILING


def test_a_source_is_stalled_if_its_cursor_stands_and_the_other_is_far_ahead() -> None:
    policy = new_policy()
    for _ in range(3):
        assert (
            policy.compare_progress(100, 1, 110) is None
        )  # the first comparison cannot show that the cursor stands
    assert policy.compare_progress(100, 2, 110) is None  # the cursor moves
    for _ in range(5):
        assert policy.compare_progress(100, 2, 105) is None  # the other source is not far ahead
    assert policy.compare_progress(100, 2, 106) is SwitchReason.STALLED
    policy.switch()
    for _ in range(3):
        assert policy.compare_progress(100, 2, 110) is None  # each gets a chance after a switch
    assert policy.compare_progress(100, 2, 110) is SwitchReason.STALLED


def test_a_backfill_is_not_stalled() -> None:
    policy = new_policy()
    assert all(policy.compare_progress(n, n << 32, 1_000_000) is None for n in range(1, 1000))


@given(st.lists(st.sampled_from(["succeeded", "failed", "mark_unable"]), max_size=40), st.data())
def test_no_switch_to_an_unable_source_or_away_from_a_working_one(
    steps: list[str], data: st.DataObject
) -> None:
    policy = new_policy()
    for step in steps:
        name = data.draw(st.sampled_from(["rpc", "horizon"]))
        getattr(policy, step)(name)
        if (why := policy.reason_to_switch()) is None:
            continue
        assert not (step == "succeeded" and name == policy.active)
        assert not (step == "mark_unable" and name == policy.other)
        assert why in (SwitchReason.FAILING, SwitchReason.UNABLE)
        policy.switch()
