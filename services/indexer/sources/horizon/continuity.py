"""Checks that Horizon left out no ledger and no transaction between two records.

Horizon silently passes over ledgers that were trimmed or that are a hole in its history, and its
root may be a second old. So it is asked for the ledgers themselves, about 200 with one request.
While one ledger follows the other at the tip, nothing is asked.
"""

from __future__ import annotations

from services.indexer.decode.records import HorizonTransaction
from services.indexer.sources.base import SourceError, SourceGapError
from services.indexer.sources.horizon.counting import NO_LISTING, TransactionCount
from services.indexer.sources.horizon.history import HorizonHistory
from services.indexer.sources.ledger_range import cursor_before


class Continuity:
    """Of one stream of records; call it for each connection and each record."""

    def __init__(self, history: HorizonHistory) -> None:
        self._history = history
        self._count = TransactionCount.at(0)
        self._listing = NO_LISTING
        self._missing_once = 0
        self._first = True

    def begin(self, cursor: int) -> None:
        """Reading begins after this cursor."""
        self._listing = NO_LISTING  # the next records may be newer than the list
        if cursor != self._count.cursor:
            self._count = TransactionCount.at(cursor)

    def connected(self) -> None:
        """A connection begins: its first record need not follow on the last one that was read."""
        self._first = True

    def add(self, record: HorizonTransaction) -> None:
        """The next record was read."""
        self._first = False
        self._count.add(record)

    async def check(self, ledger: int) -> None:
        """Call it before a record of `ledger` is read: checks that everything before it was.

        Raises SourceError when something is missing or this server lags; SourceGap when it is
        still missing at the next check.
        """
        if ledger > self._count.ledger and self._needs_check(ledger):
            await self._check_listing(ledger)

    def _needs_check(self, ledger: int) -> bool:
        """Whether something may be missing: not while each ledger follows the last at the tip.

        Ledgers that the listing covers are always checked, since that costs no request.
        """
        count = self._count
        jumped = ledger > count.ledger + 1 or count.seen == 0
        behind = self._history.latest > ledger + 1
        return jumped or self._first or behind or self._listing.covers(count.ledger)

    async def _check_listing(self, end: int) -> None:
        ledger, refetched = self._count.ledger, False
        while ledger < end:
            if not self._listing.covers(ledger):
                self._listing = await self._history.listing(ledger)
                if self._listing.end == ledger:
                    text = f"Horizon sent ledger {end}, but lists no ledger from {ledger} on"
                    raise SourceError("behind", text)
            upto = min(end, self._listing.end)
            missing = self._listing.missing(self._count, ledger, upto)
            if missing and not refetched:  # one of several servers may lack what another has
                self._listing, refetched = NO_LISTING, True
                continue
            if missing:
                raise self._missing_error(missing)
            ledger = upto

    def _missing_error(self, missing: range) -> Exception:
        if self._missing_once == missing.start:
            read_up_to = max(self._count.cursor, cursor_before(missing.start))
            return SourceGapError("Horizon", read_up_to, missing.stop)
        self._missing_once = missing.start
        text = f"Horizon left out ledgers {missing.start} to {missing.stop - 1}"
        return SourceError("missing", f"{text}; they are looked for once more")
