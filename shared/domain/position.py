"""The position of an event: its id in the journal and in SSE, from which a client can resume.

A position is `<toid>-<n>`. For a chain event, `toid` is the TOID of the operation (SEP-35: ledger,
transaction, operation) and `n` is the index of the event in the operation. This is the event id of
Stellar RPC without leading zeros. An event of the API gets the TOID of the journal's top entry, and
as `n` the time of Redis' clock in microseconds (docs/architecture.md, "Positions").

See docs/decisions/0001-position-is-the-chain-id.md.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

_DIGITS = 20
"""The most digits of a number in a position: those of the highest 64-bit number."""
_U64 = 1 << 64
_BY_CLOCK = 1 << 32
"""An `n` of this value or more is a time in microseconds: no operation has so many events."""
LAST_TRANSACTION = (1 << 20) - 1
"""The highest transaction number that fits into a TOID (20 bits); also the mask of these bits."""

LAST_OPERATION = (1 << 12) - 1
"""The highest operation number that fits into a TOID (12 bits); also the mask of these bits."""


class Position(NamedTuple):
    """A position in the journal. Positions compare in the order of the journal."""

    toid: int
    n: int

    def __str__(self) -> str:
        return f"{self.toid}-{self.n}"

    @property
    def padded(self) -> str:
        """Both numbers padded to 20 digits, so that texts sort in the order of the journal."""
        return f"{self.toid:020d}-{self.n:020d}"

    @property
    def ledger(self) -> int:
        """The ledger's sequence number, the upper 32 bits of the TOID."""
        return self.toid >> 32

    @property
    def by_clock(self) -> bool:
        """True if `n` is a time of Redis' clock. A chain event never has such an `n`."""
        return _BY_CLOCK <= self.n < _U64 >> 1


START = Position(0, 0)
"""The position below every event of every journal."""

END = Position(_U64 - 1, _U64 - 1)
"""The highest id that a Redis Stream allows. No event can follow it."""


def padded(position: str) -> str:
    """`Position.padded` of a valid position as text. Several times as fast as parsing it."""
    toid, _, n = position.partition("-")
    return f"{toid:0>{_DIGITS}}-{n:0>{_DIGITS}}"


@lru_cache(maxsize=256)  # a fanout parses each position three times, within a short time
def parse_position(text: str) -> Position:
    """Parse `<toid>-<n>`. Leading zeros are allowed, because Stellar RPC pads with them.

    Raises ValueError; the message shows what a position looks like. Raises TypeError for input that
    is no text.
    """
    # No regular expression: it takes three times as long when its code is not in the CPU's caches.
    toid, _, n = str.partition(text, "-")  # for input that is no text, this raises TypeError
    if not (_is_number(toid) and _is_number(n)):
        raise ValueError(
            f"{text[:64]!r} is not a position: expected <toid>-<n>, such as 16010972359577600-1"
        )
    position = Position(int(toid), int(n))
    if max(position) >= _U64:
        raise ValueError(f"{text!r} is not a position: both numbers must be below 2^64")
    return position


def _is_number(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) <= _DIGITS


def journal_start(cursor: int, microseconds: int) -> Position:
    """The start of a new journal that begins after the TOID `cursor` of the source.

    `microseconds` is the Unix time now. The position is below every event that will be read, and
    above every position that was given to an event earlier.
    """
    return Position(last_of_transaction(cursor), microseconds)


def toid(ledger: int, transaction: int = 0, operation: int = 0) -> int:
    """The TOID of an operation (SEP-35). Transactions count from 1, operations from 0 as in RPC."""
    fits = 0 <= transaction <= LAST_TRANSACTION and 0 <= operation <= LAST_OPERATION
    if not (0 <= ledger < 1 << 31 and fits):
        raise ValueError(
            f"no TOID exists for ledger {ledger}, transaction {transaction}, operation {operation}"
        )
    return ledger << 32 | transaction << 12 | operation


def transaction_of(toid: int) -> int:
    """The TOID of the transaction that contains the operation `toid`."""
    return toid & ~LAST_OPERATION


def last_of_transaction(toid: int) -> int:
    """The highest TOID in the transaction of `toid`. All later transactions are above it."""
    return toid | LAST_OPERATION


class LedgerRange(NamedTuple):
    """The first and the last ledger that a source has."""

    oldest: int
    latest: int
