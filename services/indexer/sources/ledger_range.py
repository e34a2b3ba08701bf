"""Bounds of a source's history: where to begin in it, and whether a cursor still lies in it. Pure.

The same for every source. A cursor is the TOID up to which everything was read.
"""

from __future__ import annotations

from services.indexer.sources.base import FatalSourceError, LedgerRange, SourceError, SourceGapError
from shared.domain.position import toid

_LAG = 1_000
"""Ledgers that one of several servers may lag behind another; a reset goes back by far more."""
_LEDGER_BITS = (1 << 32) - 1


def cursor_before(ledger: int) -> int:
    """The cursor when everything before that ledger was read, and nothing of it."""
    return toid(ledger) - 1


def next_ledger(cursor: int) -> int:
    """The ledger that what follows the cursor is of, or a later one."""
    return (cursor + 1) >> 32


def is_between_ledgers(cursor: int) -> bool:
    """Whether it stands at the end of a ledger or at the beginning of one."""
    return cursor & _LEDGER_BITS in (0, _LEDGER_BITS)


def start_cursor(name: str, available: LedgerRange, start: str) -> int:
    """The cursor for `latest`, `earliest` or a ledger's number.

    Raises FatalSourceError, and SourceError while the source may only lag behind that ledger.
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
    """Raise SourceGapError when what follows the cursor is not there any more."""
    if next_ledger(cursor) < available.oldest:
        raise SourceGapError(name, cursor, available.oldest)


def check_available(name: str, cursor: int, available: LedgerRange) -> None:
    """Raise SourceGapError as above, FatalSourceError after a reset, SourceError for a lag."""
    check_not_trimmed(name, cursor, available)
    lag = next_ledger(cursor) - available.latest
    text = f"read up to ledger {cursor >> 32}, {name} ends at {available.latest}"
    if lag > _LAG:
        raise FatalSourceError("reset", text)
    if lag > 1:  # START=latest begins one ledger ahead
        raise SourceError("behind", text)
