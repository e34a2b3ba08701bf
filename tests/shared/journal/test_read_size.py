"""The sizes of reads: small at first, and as many entries as probably fit."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from shared.journal.read_size import READ_BYTES, ReadSize

LARGEST = 16_000
"""About the largest event."""


def test_small_entries_are_read_in_larger_and_larger_steps() -> None:
    size, counts = ReadSize(), []
    for _ in range(6):
        counts.append(size.within(READ_BYTES))
        size.saw([700] * counts[-1])
    assert counts == [16, 32, 64, 128, 128, 128]


def test_large_entries_are_read_a_few_at_a_time() -> None:
    size = ReadSize()
    size.saw([10_000] * 16)
    assert size.within(100_000) == 10
    assert size.within(5) == 1, "there is always progress"
    size.saw([500])
    assert size.within(100_000) == 64, "one large entry does not slow down all that follow"


@given(st.lists(st.integers(1, LARGEST), min_size=1))
def test_no_order_of_sizes_makes_a_request_read_much_more_than_the_bound(
    entries: Sequence[int],
) -> None:
    size, left, at = ReadSize(), READ_BYTES, 0
    while left > 0:
        count = size.within(left)
        read = [entries[n % len(entries)] for n in range(at, at + count)]
        size.saw(read)
        left -= sum(read)
        at += count
    assert READ_BYTES - left <= 3 * READ_BYTES
