"""Where an event stands: the position, which is journal id, SSE id and resume cursor in one.

A position is `<toid>-<n>`. For a chain event it is the canonical id of Stellar RPC without its
leading zeros: TOID (SEP-35: ledger, transaction, operation) and index of the event in the
operation. An event made by the API takes the TOID of the journal's top entry and a larger `n`
(docs/architecture.md, "Positions").
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_TEXT = re.compile(r"(\d{1,20})-(\d{1,20})", re.ASCII)
_U64 = 1 << 64
_BY_CLOCK = 1 << 32
"""Above the number of events of any operation, below Unix time in microseconds."""
LAST_TRANSACTION = (1 << 20) - 1
"""The highest transaction number that fits into a TOID (20 bits); also the mask of these bits."""

LAST_OPERATION = (1 << 12) - 1
"""The highest operation number that fits into a TOID (12 bits); also the mask of these bits."""


class Position(NamedTuple):
    """A place in the journal; positions compare in the order of the journal."""

    toid: int
    n: int

    def __str__(self) -> str:
        return f"{self.toid}-{self.n}"

    @property
    def padded(self) -> str:
        """Both halves with 20 digits: sorts as text into the order of the journal."""
        return f"{self.toid:020d}-{self.n:020d}"

    @property
    def ledger(self) -> int:
        """The ledger's sequence number, the upper 32 bits of the TOID."""
        return self.toid >> 32

    @property
    def by_clock(self) -> bool:
        """Whether `n` is microseconds of Redis' clock, as in no position of the chain's events."""
        return _BY_CLOCK <= self.n < _U64 >> 1


START = Position(0, 0)
"""Before the first event of any journal."""

END = Position(_U64 - 1, _U64 - 1)
"""The highest id that Redis knows; nothing can stand after it."""


@lru_cache(maxsize=4096)  # a fanout reads each position thrice: it chains to the one before
def parse_position(text: str) -> Position:
    """Read `<toid>-<n>`, leading zeros allowed (RPC pads with them).

    Raises ValueError that says what a position looks like.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text[:64]!r} is no position: expected <toid>-<n>, such as 16010972359577600-1"
        )
    position = Position(int(match[1]), int(match[2]))
    if max(position) >= _U64:
        raise ValueError(f"{text!r} is no position: both numbers must be below 2^64")
    return position


def journal_start(cursor: int, microseconds: int) -> Position:
    """The start of a journal: reading began at the TOID `cursor`, at that Unix time.

    It is below every event that is read from there, and above every position given out earlier.
    """
    return Position(last_of_transaction(cursor), microseconds)


def toid(ledger: int, transaction: int = 0, operation: int = 0) -> int:
    """TOID of an operation (SEP-35); transactions count from 1, operations from 0 as in RPC."""
    fits = 0 <= transaction <= LAST_TRANSACTION and 0 <= operation <= LAST_OPERATION
    if not (0 <= ledger < 1 << 31 and fits):
        raise ValueError(
            f"no TOID for ledger {ledger}, transaction {transaction}, operation {operation}"
        )
    return ledger << 32 | transaction << 12 | operation


def transaction_of(toid: int) -> int:
    """The TOID of the transaction that contains the operation `toid`."""
    return toid & ~LAST_OPERATION


def last_of_transaction(toid: int) -> int:
    """The highest TOID in the transaction of `toid`; no operation of a later one is below it."""
    return toid | LAST_OPERATION
