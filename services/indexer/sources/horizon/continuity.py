"""Check that Horizon left out no ledger and no transaction between two records.

Horizon's stream silently skips ledgers that are trimmed or missing in its database. The ledger
range in Horizon's root does not show missing ledgers, and may be a second old. So the check
requests Horizon's list of ledgers, 200 in one request. At the tip, a record needs no request if its
ledger directly follows the ledger of the previous record.

See docs/decisions/0042-ledgers-are-counted.md.
"""

from __future__ import annotations

from services.indexer.sources.base import SourceGapError
from services.indexer.sources.horizon.counting import NO_LISTING, TransactionCount
from services.indexer.sources.horizon.history import HorizonHistory
from services.indexer.sources.ledger_range import cursor_before
from shared.chain.decode.records import HorizonTransaction
from shared.chain.errors import SourceError


class Continuity:
    """Checks one stream of records. A record is a transaction from Horizon."""

    def __init__(self, history: HorizonHistory) -> None:
        self._history = history
        self._count = TransactionCount.at(0)
        self._listing = NO_LISTING
        self._missing_once = 0
        self._first = True

    def begin(self, cursor: int) -> None:
        """Note that reading begins after this cursor."""
        self._listing = NO_LISTING  # ask again: the old list may end too early
        if cursor != self._count.cursor:
            self._count = TransactionCount.at(cursor)

    def connected(self) -> None:
        """Note a new connection. Its first record is checked, because it may skip ledgers."""
        self._first = True

    def add(self, record: HorizonTransaction) -> None:
        """Note that a record was read."""
        self._first = False
        self._count.add(record)

    async def check(self, ledger: int) -> None:
        """Before a record of `ledger` is read, check that everything before that ledger was read.

        Raises SourceError if something is missing or this server lags; SourceGapError if the same
        ledgers are still missing at the next check.
        """
        if ledger > self._count.ledger and self._needs_check(ledger):
            await self._check_listing(ledger)

    def _needs_check(self, ledger: int) -> bool:
        """True if ledgers may be missing before `ledger`, or if the check costs no request.

        At the tip, consecutive ledgers need no check. The check costs no request if the list that
        was read last covers the current ledger.
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
            if missing and not refetched:  # ask once more: another server at the URL may have them
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
        return SourceError("missing", f"{text}; they are requested again")
