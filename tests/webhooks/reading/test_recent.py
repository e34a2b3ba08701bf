"""The recent events against a plain list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.webhooks.reading.recent import RecentEntries
from shared.domain.position import Position
from shared.journal.wire import JournalEntry


def entry(number: int, previous: int) -> JournalEntry:
    return JournalEntry(f"{number}-0", f"{previous}-0", "stream.created", ("1",), b"x" * number)


@given(
    numbers=st.lists(st.integers(1, 60), unique=True, max_size=40).map(sorted),
    cut=st.integers(0, 60),
    events=st.integers(1, 20),
)
def test_the_newest_are_kept_and_cut_off(numbers: list[int], cut: int, events: int) -> None:
    recent, size = RecentEntries(events=events, size=300), 0
    made = [entry(*pair) for pair in zip(numbers, [0, *numbers], strict=False)]
    recent.load([], Position(0, 0))
    for each in made:
        recent.append(each)
    kept = list(recent)
    assert kept == made[len(made) - len(kept) :]
    assert len(kept) <= events
    size = sum(len(each.body) for each in kept)
    assert size <= 300 or len(kept) == 1
    assert str(recent.floor) == (kept[0].previous if kept else "0-0")
    removed = recent.truncate(Position(cut, 0))
    assert removed == [each for each in kept if int(each.position[:-2]) > cut]
    assert list(recent) == kept[: len(kept) - len(removed)]
    assert all(recent.has(each) for each in recent)
    assert not any(recent.has(each) for each in removed)
    assert recent.floor <= recent.top == Position(cut, 0) or not removed


def test_the_same_entry_after_another_one_is_not_the_same() -> None:
    recent = RecentEntries()
    recent.load([entry(2, 1), entry(3, 2)], Position(3, 0))
    assert recent.has(entry(3, 2))
    assert not recent.has(entry(3, 1))
    assert [each.position for each in recent.after(Position(2, 0))] == ["3-0"]
