"""Counting: which ledgers a stream of transactions left out. Pure.

Horizon lists its ledgers, each with the number of its successful transactions. This shows whether
all transactions of a ledger came, and whether a ledger between two records was empty. A closed
ledger does not change, so the list may be older than the records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from services.indexer.decode.records import HorizonTransaction, MalformedError, typed
from services.indexer.sources.ledger_range import is_between_ledgers, next_ledger

PAGE = 200
"""Ledgers of one answer (Horizon's limit)."""


class ListedLedger(NamedTuple):
    """A ledger as Horizon lists it: its number, and how many transactions succeeded in it."""

    sequence: int
    successful: int


@dataclass(slots=True)
class TransactionCount:
    """How many successful transactions of `ledger`, the one being read, were seen.

    `seen` is None when reading began within that ledger. All up to the TOID `cursor` was read.
    """

    cursor: int
    ledger: int
    seen: int | None

    @classmethod
    def at(cls, cursor: int) -> TransactionCount:
        """Nothing after the cursor was seen yet."""
        return cls(cursor, next_ledger(cursor), 0 if is_between_ledgers(cursor) else None)

    def add(self, record: HorizonTransaction) -> None:
        """The next record."""
        if record.ledger > self.ledger:
            self.ledger, self.seen = record.ledger, 0
        if self.seen is not None:
            self.seen += record.successful
        self.cursor = record.toid

    def has_all(self, ledger: ListedLedger) -> bool:
        """Whether all transactions of a ledger came. Of a ledger after `self.ledger` none came."""
        seen = self.seen if ledger.sequence == self.ledger else 0
        return seen is None or ledger.successful <= seen


@dataclass(frozen=True, slots=True)
class LedgerListing:
    """Horizon's list of the ledgers from `first` on, in order."""

    first: int
    ledgers: Sequence[ListedLedger]

    @property
    def end(self) -> int:
        """The ledger after the last one: up to before it the list tells which ledgers exist."""
        return self.ledgers[-1].sequence + 1 if self.ledgers else self.first

    def covers(self, ledger: int) -> bool:
        """Whether the list tells if that ledger exists."""
        return self.first <= ledger < self.end

    def missing(self, count: TransactionCount, first: int, end: int) -> range:
        """The first run of missing ledgers from `first` to before `end`; empty if there is none.

        A ledger is missing when it does not exist, or when some of its transactions did not come.
        """
        complete = [
            each.sequence
            for each in self.ledgers
            if first <= each.sequence < end and count.has_all(each)
        ]
        for a, b in pairwise((first - 1, *complete, end)):
            if b > a + 1:
                return range(a + 1, b)
        return range(0)


NO_LISTING = LedgerListing(0, ())


def parse_listing(first: int, document: Mapping[str, Any]) -> LedgerListing:
    """Horizon's answer for the ledgers from `first` on. Raises MalformedError."""
    try:
        ledgers = [
            ListedLedger(_number(each["sequence"]), _number(each["successful_transaction_count"]))
            for each in document["_embedded"]["records"]
        ]
    except (KeyError, TypeError) as error:
        raise MalformedError(f"the list of ledgers lacks a field: {error!r:.200}") from error
    numbers = [each.sequence for each in ledgers]
    if any(b <= a for a, b in pairwise((first - 1, *numbers))):
        raise MalformedError(f"the ledgers from {first} on are out of order: {numbers!s:.200}")
    return LedgerListing(first, ledgers)


_number = typed(int)
