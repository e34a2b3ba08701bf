"""Continuity: that no ledger and no transaction is left out between two records of Horizon.

Horizon passes over what was trimmed, and over holes in its history, without a word, and its root
says for a second what was true before. So it is asked for the ledgers themselves. One answer is
about 200 ledgers; none is asked for while one ledger follows the other at the tip.
"""

from __future__ import annotations

from services.indexer.records import Record
from services.indexer.sources import SourceError, SourceGap
from services.indexer.sources.bounds import before
from services.indexer.sources.counting import NOTHING, Count
from services.indexer.sources.history import History


class Continuity:
    """Told of each connection and each record."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._count = Count.at(0)
        self._listing = NOTHING
        self._doubted = 0
        self._first = True

    def begin(self, cursor: int) -> None:
        """Reading begins after this cursor."""
        self._listing = NOTHING  # what is read next may be younger than what was known
        if cursor != self._count.cursor:
            self._count = Count.at(cursor)

    def connected(self) -> None:
        """A connection begins: a record that comes on it need not follow on the one before."""
        self._first = True

    def add(self, record: Record) -> None:
        """The next record was read."""
        self._first = False
        self._count.add(record)

    async def check(self, ledger: int) -> None:
        """Before a record of `ledger` is read: that all before it was.

        Raises SourceError when something is missing (or this server lags), and when it is still
        missing at the next look, SourceGap.
        """
        if ledger > self._count.ledger and self._is_in_doubt(ledger):
            await self._look(ledger)

    def _is_in_doubt(self, ledger: int) -> bool:
        """All of a new ledger comes at once; everywhere else something may be missing.

        What the listing has is checked for nothing, and far from the tip it is asked for.
        """
        count = self._count
        jumped = ledger > count.ledger + 1 or count.seen == 0
        behind = self._history.latest > ledger + 1
        return jumped or self._first or behind or self._listing.covers(count.ledger)

    async def _look(self, end: int) -> None:
        at = self._count.ledger
        while at < end:
            if not self._listing.covers(at):
                self._listing = await self._history.listing(at)
                if self._listing.end == at:
                    text = f"Horizon told of ledger {end}, but does not list any from {at} on"
                    raise SourceError("behind", text)
            upto = min(end, self._listing.end)
            if missing := self._listing.missing(self._count, at, upto):
                raise self._trouble(missing)
            at = upto

    def _trouble(self, missing: range) -> Exception:
        if self._doubted == missing.start:
            read = max(self._count.cursor, before(missing.start))
            return SourceGap("Horizon", read, missing.stop)
        self._doubted = missing.start
        text = f"Horizon left out ledgers {missing.start} to {missing.stop - 1}"
        return SourceError("missing", f"{text}; looking once more")
