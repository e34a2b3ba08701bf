"""The table that `make bench` prints."""

from __future__ import annotations

import pytest

from tests.bench import table
from tests.bench.rows import Row, ratio, row


def test_a_line_has_the_number_its_range_its_goal_and_the_committed_result() -> None:
    measured = row("p99", "commit → client, p99", "ms", [0.9, 0.7, 0.8], 0.75)
    assert table.line(measured, (1.0, 0.9, 1.1)) == (
        "| commit → client, p99 | 0.80 (0.70–0.90) ms | ≤ 0.75 ms | missed "
        "| 1 (0.90–1.10) ms | -20% |"
    )


def test_a_line_without_a_goal_and_a_committed_result_leaves_them_empty() -> None:
    rate = row("rate", "events", "/s", [281_486.4], better="higher")
    assert table.line(rate, ()) == "| events | 281,486 /s |  |  |  |  |"


def test_a_line_names_a_regression() -> None:
    worse = ratio("c", "… against C", [2.0, 2.1, 2.2], [1.0, 1.0, 1.0], 1.12)
    assert table.line(worse, (1.0, 1.1, 1.2)).endswith(
        "| missed | 1.10 (1–1.20) | +91% REGRESSION |"
    )


def test_a_peer_that_is_not_installed_has_no_number_and_misses_nothing() -> None:
    assert table.line(ratio("n", "… Nchan", [1.0], [], 0.7), (0.5, 0.5)) == (
        "| … Nchan | not installed | ≤ 0.70 |  | 0.50 |  |"
    )


def test_more_is_better_where_the_row_says_so() -> None:
    resumed = row("resumed", "clients", "/s", [7_999.0, 8_000.0, 8_001.0], 8_000, better="higher")
    assert table.goal(resumed) == "≥ 8,000 /s"
    assert table.verdict(resumed) == "reached"
    assert table.verdict(Row("r", "", "", (7_999.0,), 8_000, "higher")) == "missed"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.454, "0.45"), (1.5, "1.50"), (12.34, "12.3"), (99.99, "100.0"), (281.4, "281"), (0, "0")],
)
def test_numbers_have_about_three_digits(value: float, text: str) -> None:
    assert table.number(value) == text
