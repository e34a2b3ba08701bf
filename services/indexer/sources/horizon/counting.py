"""Count transactions, to find the ledgers that a stream of transactions left out. Pure.

Horizon's list of ledgers has the number of successful transactions of each ledger. So the count
shows whether all transactions of a ledger came, and whether a ledger without any was really empty.
A closed ledger never changes, so the list may be older than the records.

See docs/decisions/0042-ledgers-are-counted.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from services.indexer.decode.records import HorizonTransaction, MalformedError, typed
from services.indexer.sources.ledger_range import is_between_ledgers, next_ledger

PAGE = 200
"""Ledgers in one answer (Horizon's limit)."""


class ListedLedger(NamedTuple):
    """An entry in Horizon's list: a ledger's number, and how many transactions succeeded in it."""

    sequence: int
    successful: int


@dataclass(slots=True)
class TransactionCount:
    """The number of successful transactions that came of `ledger`, the one that is being read.

    `seen` is None if reading began inside that ledger. Everything up to the TOID `cursor` was read.
    """

    cursor: int
    ledger: int
    seen: int | None

    @classmethod
    def at(cls, cursor: int) -> TransactionCount:
        """The count when reading begins after this cursor."""
        return cls(cursor, next_ledger(cursor), 0 if is_between_ledgers(cursor) else None)

    def add(self, record: HorizonTransaction) -> None:
        """Count a record."""
        if record.ledger > self.ledger:
            self.ledger, self.seen = record.ledger, 0
        if self.seen is not None:
            self.seen += record.successful
        self.cursor = record.toid

    def has_all(self, ledger: ListedLedger) -> bool:
        """Whether all transactions of a ledger came. None came of a ledger above `self.ledger`."""
        seen = self.seen if ledger.sequence == self.ledger else 0
        return seen is None or ledger.successful <= seen


@dataclass(frozen=True, slots=True)
class LedgerListing:
    """Horizon's list of ledgers from `first` on, in order."""

    first: int
    ledgers: Sequence[ListedLedger]

    @property
    def end(self) -> int:
        """The ledger after the last one in the list."""
        return self.ledgers[-1].sequence + 1 if self.ledgers else self.first

    def covers(self, ledger: int) -> bool:
        """Whether the list shows if that ledger exists."""
        return self.first <= ledger < self.end

    def missing(self, count: TransactionCount, first: int, end: int) -> range:
        """The first run of missing ledgers in [first, end); empty if there is none.

        A ledger is missing if it is not in the list, or if some of its transactions did not come.
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
    """Parse Horizon's answer: the ledgers from `first` on. Raises MalformedError."""
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
