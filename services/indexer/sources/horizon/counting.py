"""Count transactions, to find the ledgers that a stream of transactions left out. Pure.

Horizon's list of ledgers has the number of successful transactions of each ledger. So the count
shows if all transactions of a ledger came, and if a ledger without transactions is really empty. A
closed ledger never changes, so an older list is still correct.

See docs/decisions/0042-ledgers-are-counted.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from services.indexer.sources.ledger_range import is_between_ledgers, next_ledger
from shared.chain.decode.records import HorizonTransaction, MalformedError, typed

PAGE = 200
"""The most ledgers in one answer (Horizon's limit)."""


class ListedLedger(NamedTuple):
    """An entry in Horizon's list: a ledger's number, and how many transactions succeeded in it."""

    sequence: int
    successful: int


@dataclass(slots=True)
class TransactionCount:
    """Counts the successful transactions that came from `ledger`, the ledger that is being read.

    `seen`: the count; None if reading began inside that ledger, so that the count is unknown.
    `cursor`: the TOID up to which everything was read.
    """

    cursor: int
    ledger: int
    seen: int | None

    @classmethod
    def at(cls, cursor: int) -> TransactionCount:
        """Create the count for reading that begins after this cursor."""
        return cls(cursor, next_ledger(cursor), 0 if is_between_ledgers(cursor) else None)

    def add(self, record: HorizonTransaction) -> None:
        """Count a transaction."""
        if record.ledger > self.ledger:
            self.ledger, self.seen = record.ledger, 0
        if self.seen is not None:
            self.seen += record.successful
        self.cursor = record.toid

    def has_all(self, ledger: ListedLedger) -> bool:
        """True if all successful transactions of a ledger came, or if the count is unknown.

        Of a ledger above `self.ledger`, no transaction has come yet.
        """
        seen = self.seen if ledger.sequence == self.ledger else 0
        return seen is None or ledger.successful <= seen


@dataclass(frozen=True, slots=True)
class LedgerListing:
    """Horizon's list of ledgers from `first` on, in order."""

    first: int
    ledgers: Sequence[ListedLedger]

    @property
    def end(self) -> int:
        """The number after the last ledger in the list."""
        return self.ledgers[-1].sequence + 1 if self.ledgers else self.first

    def covers(self, ledger: int) -> bool:
        """True if the list is long enough to show that this ledger exists or is missing."""
        return self.first <= ledger < self.end

    def missing(self, count: TransactionCount, first: int, end: int) -> range:
        """Return the first range of missing ledgers in [first, end); empty if none is missing.

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
    """Parse Horizon's list of the ledgers from `first` on. Raises MalformedError."""
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
