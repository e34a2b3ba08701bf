"""Positions: their text, their order, and their TOID."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.position import END, START, Position, padded, parse_position, toid

u64 = st.integers(0, (1 << 64) - 1)
positions = st.builds(Position, u64, u64)


@given(positions)
def test_a_position_survives_formatting_and_parsing(position: Position) -> None:
    assert parse_position(str(position)) == position
    assert START <= position <= END
    assert padded(str(position)) == position.padded


@given(positions, positions)
def test_positions_sort_by_operation_then_by_event(a: Position, b: Position) -> None:
    assert (a < b) == ((a.toid, a.n) < (b.toid, b.n))


def test_an_id_that_rpc_padded_with_zeros_is_the_same_position() -> None:
    assert parse_position("0016010972359577600-0000000001") == Position(16010972359577600, 1)
    assert str(parse_position("0016010972359577600-0000000001")) == "16010972359577600-1"


@pytest.mark.parametrize(
    "text",
    [
        "", "-", "1", "1-", "-1", "1-2-3", " 1-2", "1-2\n", "+1-2", "1--2", "0x1-2", "1_0-2",
        "١-٢", "1-2\0", f"{1 << 64}-0", f"0-{1 << 64}", "1" * 21 + "-0",
    ],
)  # fmt: skip
def test_a_text_that_is_not_a_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a position: "):
        parse_position(text)


def test_the_error_quotes_only_the_start_of_a_long_text() -> None:
    with pytest.raises(ValueError, match="not a position") as caught:
        parse_position("x" * 10_000)
    assert len(str(caught.value)) < 200


@given(st.integers(0, (1 << 31) - 1), st.integers(0, (1 << 20) - 1), st.integers(0, (1 << 12) - 1))
def test_a_toid_contains_ledger_transaction_and_operation(
    ledger: int, transaction: int, operation: int
) -> None:
    number = toid(ledger, transaction, operation)
    assert Position(number, 0).ledger == ledger
    assert (number >> 12) % (1 << 20) == transaction
    assert number % (1 << 12) == operation


def test_toids_match_the_examples_of_sep_35() -> None:
    assert toid(3727845, 5) == 16010972359577600
    assert toid(1) == 4294967296


@pytest.mark.parametrize("parts", [(-1,), (1 << 31,), (1, 1 << 20), (1, -1), (1, 1, 1 << 12)])
def test_a_number_that_does_not_fit_into_a_toid_is_refused(parts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="no TOID exists for ledger"):
        toid(*parts)
