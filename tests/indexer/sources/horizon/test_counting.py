"""Counting ledgers: what is missing between two records, by a list that may be old."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.indexer.sources.horizon.counting import (
    LedgerListing,
    ListedLedger,
    TransactionCount,
    parse_listing,
)
from services.indexer.sources.ledger_range import cursor_before
from shared.chain.decode.records import HorizonTransaction, MalformedError
from shared.domain.position import toid


def record(ledger: int, order: int = 1, *, successful: bool = True) -> HorizonTransaction:
    return HorizonTransaction(toid(ledger, order), "", ledger, "", successful, b"", b"", None)


def counted(cursor: int, *records: HorizonTransaction) -> TransactionCount:
    count = TransactionCount.at(cursor)
    for each in records:
        count.add(each)
    return count


def listed(first: int, *ledgers: tuple[int, int]) -> LedgerListing:
    return LedgerListing(first, [ListedLedger(*each) for each in ledgers])


def test_a_ledger_is_counted_from_its_beginning() -> None:
    for cursor in (toid(10), cursor_before(10)):
        assert TransactionCount.at(cursor) == TransactionCount(cursor, 10, 0)
    one = counted(toid(10), record(10, 1), record(10, 2), record(10, 3, successful=False))
    assert (one.ledger, one.seen, one.cursor) == (10, 2, toid(10, 3))
    one.add(record(12, 1))
    assert (one.ledger, one.seen) == (12, 1)


def test_the_count_of_a_ledger_that_was_begun_inside_is_unknown() -> None:
    one = counted(toid(10, 3), record(10, 4))
    assert (one.ledger, one.seen) == (10, None)
    one.add(record(11, 1))
    assert one.seen == 1


def test_ledgers_without_transactions_are_not_missing() -> None:
    listing = listed(10, (10, 1), (11, 0), (12, 0), (13, 5))
    assert not listing.missing(counted(toid(10), record(10)), 10, 13)


@pytest.mark.parametrize(
    ("ledgers", "missing"),
    [
        ([(10, 1), (13, 0)], range(11, 13)),  # a hole
        (
            [(10, 1), (11, 0), (12, 2), (13, 0)],
            range(12, 13),
        ),  # the ledger exists, but its transactions did not come
        ([(10, 1), (12, 2), (13, 0)], range(11, 13)),  # both next to each other are one run
        (
            [(10, 3), (11, 0), (12, 0), (13, 0)],
            range(10, 11),
        ),  # the rest of the ledger that is being read
        ([(11, 0), (12, 0), (13, 0)], range(10, 11)),  # trimmed while it was being read
        ([(16, 0)], range(10, 14)),  # all of it is trimmed
        ([(10, 1), (11, 0), (12, 0)], range(13, 14)),  # up to the end of the list
        ([(10, 1), (12, 0)], range(11, 12)),  # the first of two holes
    ],
)
def test_missing_returns_the_first_run_of_missing_ledgers(
    ledgers: list[tuple[int, int]], missing: range
) -> None:
    count = counted(toid(10), record(10))
    assert listed(10, *ledgers).missing(count, 10, 14) == missing


def test_a_hole_of_millions_is_found_at_once() -> None:
    listing = listed(10, (10, 1), (3_000_000_00, 7))
    assert listing.missing(counted(toid(10), record(10)), 10, 3_000_000_00) == range(
        11, 3_000_000_00
    )


def test_a_listing_covers_its_ledgers() -> None:
    listing = listed(10, (12, 0), (15, 0))
    assert [n for n in range(8, 18) if listing.covers(n)] == [10, 11, 12, 13, 14, 15]
    assert listed(10).end == 10
    assert not listed(10).covers(10)


@given(
    listed=st.dictionaries(st.integers(10, 60), st.integers(0, 3)),
    came=st.sets(st.integers(10, 60)),
    end=st.integers(11, 61),
)
def test_missing_equals_a_slow_and_simple_search(
    listed: dict[int, int], came: set[int], end: int
) -> None:
    """The same search, ledger by ledger, slow and simple."""
    first = min(came, default=10)
    count = counted(toid(first), *(record(first, n + 1) for n in range(len(came) % 3)))
    listing = LedgerListing(
        first, [ListedLedger(n, c) for n, c in sorted(listed.items()) if n >= first]
    )
    bad = [
        n
        for n in range(first, end)
        if n not in listed or listed[n] > ((count.seen or 0) if n == first else 0)
    ]
    expected: list[int] = []
    for n in bad:
        if expected and n != expected[-1] + 1:
            break
        expected.append(n)
    assert list(listing.missing(count, first, end)) == expected


def page(*ledgers: dict[str, Any]) -> dict[str, Any]:
    return {"_embedded": {"records": list(ledgers)}}


def test_horizons_list_is_parsed() -> None:
    one = {"sequence": 12, "successful_transaction_count": 3, "failed_transaction_count": 9}
    assert parse_listing(10, page(one)) == listed(10, (12, 3))
    assert parse_listing(10, page()) == listed(10)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"_embedded": {}},
        {"_embedded": {"records": 3}},
        page({"sequence": 12}),
        page({"sequence": "12", "successful_transaction_count": 0}),
        page({"sequence": 9, "successful_transaction_count": 0}),
        page(*({"sequence": n, "successful_transaction_count": 0} for n in (11, 11))),
    ],
)
def test_a_malformed_list_is_an_error(document: dict[str, Any]) -> None:
    with pytest.raises(MalformedError, match="ledgers"):
        parse_listing(10, document)
