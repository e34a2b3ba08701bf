"""Compare a cursor with the ledgers that a source has. Pure, and the same for all sources.

A cursor is the TOID (SEP-35) up to which everything was read.

See docs/decisions/0025-checkpoint-hash.md.
"""

from __future__ import annotations

from services.indexer.sources.base import SourceGapError
from shared.chain.errors import FatalSourceError, SourceError
from shared.domain.position import LedgerRange, toid

_LAG = 1_000
"""How many ledgers below the cursor a source may end. If it ends lower, the network was reset."""
_LEDGER_BITS = (1 << 32) - 1


def cursor_before(ledger: int) -> int:
    """Return the cursor at which all ledgers before `ledger` are read, and nothing of `ledger`."""
    return toid(ledger) - 1


def next_ledger(cursor: int) -> int:
    """Return the first ledger that is not completely read at this cursor."""
    return (cursor + 1) >> 32


def ledger_including(cursor: int) -> int:
    """Return the ledger at whose end everything up to this cursor has happened."""
    return next_ledger(cursor) - 1 if is_between_ledgers(cursor) else cursor >> 32


def is_between_ledgers(cursor: int) -> bool:
    """True if the cursor is between two ledgers, not inside one."""
    return cursor & _LEDGER_BITS in (0, _LEDGER_BITS)


def start_cursor(name: str, available: LedgerRange, start: str) -> int:
    """Return the cursor for the setting START: `latest`, `earliest` or a ledger number.

    Raises SourceError if the source may only lag; FatalSourceError if it does not have the ledger.
    """
    oldest, latest = available
    if start == "latest":
        return toid(latest + 1)
    if start == "earliest":
        return toid(oldest)
    text = f"START={start}: {name} has ledgers {oldest} to {latest}"
    if latest + 1 < int(start) <= latest + _LAG:
        raise SourceError("behind", text)
    if not oldest <= int(start) <= latest + 1:
        raise FatalSourceError("start", text)
    return toid(int(start))


def check_not_trimmed(name: str, cursor: int, available: LedgerRange) -> None:
    """Raise SourceGapError if the source has trimmed the first ledger after the cursor."""
    if next_ledger(cursor) < available.oldest:
        raise SourceGapError(name, cursor, available.oldest)


def check_available(name: str, cursor: int, available: LedgerRange) -> None:
    """Check that the source can continue at the cursor.

    Raises SourceGapError if the next ledger is trimmed; SourceError if the source only lags;
    FatalSourceError if the source ends so far below the cursor that its network was reset.
    """
    check_not_trimmed(name, cursor, available)
    lag = next_ledger(cursor) - available.latest
    text = f"read up to ledger {cursor >> 32}, but {name} ends at {available.latest}"
    if lag > _LAG:
        raise FatalSourceError("reset", text)
    if lag > 1:  # a lag of one is normal: START=latest begins at the next ledger
        raise SourceError("behind", text)
