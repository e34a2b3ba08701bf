"""The filter of topics never misses a topic, and seldom names one that is not there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.archive.topic_filter import build_filter, may_contain


@given(topics=st.sets(st.text(max_size=10), max_size=50))
def test_no_topic_is_missed(topics: set[str]) -> None:
    made = build_filter(topics)
    assert all(may_contain(made, [topic]) for topic in topics)
    assert not may_contain(made, [])


def test_about_one_answer_in_a_hundred_is_wrong() -> None:
    made = build_filter({f"user:{n}" for n in range(2_000)})
    wrong = sum(may_contain(made, [f"user:{n}"]) for n in range(2_000, 12_000))
    assert wrong < 200  # of 10,000
    assert len(made) == 2_500


def test_the_filter_of_one_topic_of_several_answers_for_any_of_them() -> None:
    made = build_filter({"1", "user:GA"})
    assert may_contain(made, ["2", "user:GA"])
    assert not may_contain(made, ["2", "user:GB"])
