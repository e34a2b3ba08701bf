"""Which results of `make bench` are regressions."""

from __future__ import annotations

import pytest

from tests.bench.comparison import change, is_regression
from tests.bench.rows import Better, Row, ratio, row

COMMITTED = (1.00, 1.02, 1.04, 1.06, 1.10)


def a_ratio(*runs: float, better: Better = "lower") -> Row:
    return Row("c", "… against the floor", "", runs, better=better, ratio=True)


def test_a_ratio_whose_best_run_is_worse_than_the_worst_committed_run_is_a_regression() -> None:
    assert is_regression(a_ratio(1.12, 1.15, 1.20, 1.22, 1.30), COMMITTED)


def test_a_worse_median_within_the_noise_is_none() -> None:
    assert not is_regression(a_ratio(1.09, 1.15, 1.20, 1.22, 1.30), COMMITTED)


def test_an_improvement_is_none() -> None:
    assert not is_regression(a_ratio(0.5, 0.5, 0.5), COMMITTED)


def test_a_small_change_is_none_even_if_the_runs_hardly_differ() -> None:
    assert not is_regression(a_ratio(1.04, 1.04, 1.04), (1.00, 1.00, 1.00))
    assert is_regression(a_ratio(1.06, 1.06, 1.06), (1.00, 1.00, 1.00))


def test_where_more_is_better_less_is_a_regression() -> None:
    assert is_regression(a_ratio(0.8, 0.8, 0.9, better="higher"), COMMITTED)
    assert not is_regression(a_ratio(1.2, 1.2, 1.3, better="higher"), COMMITTED)


def test_absolute_numbers_never_fail_because_they_depend_on_the_machine() -> None:
    assert not is_regression(row("us", "CPU", "µs", [9.0, 9.0, 9.0]), (1.0, 1.0, 1.0))


@pytest.mark.parametrize("before", [(), (1.0,), (1.0, 1.0)])
def test_nothing_is_compared_with_too_few_runs(before: tuple[float, ...]) -> None:
    assert not is_regression(a_ratio(9.0, 9.0, 9.0), before)
    assert not is_regression(a_ratio(*[9.0] * len(before)), COMMITTED)


def test_change_compares_the_medians() -> None:
    assert change(a_ratio(1.0, 2.1, 9.0), (2.0, 1.0, 3.0)) == pytest.approx(0.05)
    assert change(a_ratio(), (1.0,)) is None
    assert change(a_ratio(1.0), ()) is None
    assert change(a_ratio(1.0), (0.0,)) is None


def test_ratios_pair_the_runs_that_followed_each_other() -> None:
    assert ratio("c", "", [2.0, 9.0], [1.0, 3.0]).runs == (2.0, 3.0)
    assert ratio("c", "", [2.0, 9.0], []).runs == ()
    with pytest.raises(ValueError, match="shorter"):
        ratio("c", "", [2.0, 9.0], [1.0])
