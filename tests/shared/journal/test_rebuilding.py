"""The sets of topics are written in parts of a limited size, and nothing is lost between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.position import Position
from shared.journal import rebuilding
from shared.journal.rebuilding import TopicMembers
from shared.journal.wire import JournalEntry

TOPICS = st.lists(st.lists(st.sampled_from("abc"), unique=True, max_size=3), max_size=30)


@pytest.fixture(scope="module", autouse=True)
def small_parts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rebuilding, "_PART", 6)
        yield


def entry(n: int, topics: list[str]) -> JournalEntry:
    return JournalEntry(f"{n}-1", f"{n - 1}-1", "stream.created", tuple(topics), b"{}")


@given(TOPICS)
def test_each_part_has_the_next_members(topics: list[list[str]]) -> None:
    collected = TopicMembers()
    for n, each in enumerate(topics, 1):
        collected.add([entry(n, each)])
    parts = list(collected.parts())
    assert all(sum(map(len, part.values())) < 12 for part in parts)
    found: dict[str, list[str | int]] = defaultdict(list)
    for part in parts:
        for topic, values in part.items():
            found[topic] += values
    assert collected.size == sum(len(values) for values in found.values()) / 2
    for topic in ("", "a", "b", "c"):
        numbers = [n for n, each in enumerate(topics, 1) if topic in (each or [""])]
        assert found[topic] == [x for n in numbers for x in (0, Position(n, 1).padded)]
