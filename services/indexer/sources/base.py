"""The Source protocol, and the batches of all sources."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.chain.errors import FatalSourceError
from shared.domain.events import Event
from shared.domain.position import LedgerRange


@dataclass(frozen=True, slots=True)
class Batch:
    """The events since the previous batch, in order. A batch has only whole transactions.

    `dead`: the dead letters. `cursor`: the TOID up to which everything was read, with or without
    events. `ledger`: the last ledger whose close time is known. `closed_at`: that close time (ISO
    8601, as the source writes it), None if the source gave none. `latest`: the source's last
    ledger, 0 if it is not known yet.
    """

    events: Sequence[Event]
    dead: Sequence[dict[str, object]]
    cursor: int
    ledger: int
    closed_at: str | None
    latest: int = 0


class SourceGapError(FatalSourceError):
    """Ledgers are missing: the source trimmed them, or its database has a hole.

    Everything up to the TOID `read` was read. The source has ledgers again from `oldest` on. A part
    of the first missing ledger may have been read.
    """

    def __init__(self, name: str, read: int, oldest: int) -> None:
        self.read = read
        self.oldest = oldest
        text = f"ledgers {self.first} to {self.last} are not in the history of {name}"
        super().__init__("gap", text)

    @property
    def first(self) -> int:
        """The first ledger that is missing, completely or in part."""
        return (self.read + 1) >> 32

    @property
    def last(self) -> int:
        """The last ledger that is missing."""
        return self.oldest - 1


class Source(Protocol):
    """A way to read the chain's events."""

    @property
    def name(self) -> str:
        """The name in logs and metrics; with failover, the name of the active source."""
        ...

    async def start(self, where: str) -> int:
        """Return the cursor for the setting START: `latest`, `earliest` or a ledger number.

        Raises SourceError, FatalSourceError.
        """
        ...

    def batches(self, cursor: int) -> AsyncGenerator[Batch]:
        """Yield everything after the cursor, without end. At the tip, wait for new ledgers.

        The caller may ask for the next batch before the previous one is committed. The caller must
        close the generator (aclosing), because the generator holds a connection. Raises
        SourceError, SourceGapError, FatalSourceError.
        """
        ...

    async def ledgers(self) -> LedgerRange:
        """Return the range of ledgers that the source has now.

        Raises SourceError; FatalSourceError if the source serves another network.
        """
        ...

    async def latest_hash(self) -> tuple[int, str]:
        """Return number and hash (hex) of a ledger at or near the tip. Raises SourceError."""
        ...

    async def hash_of(self, ledger: int) -> str | None:
        """Return a ledger's hash (hex); None if the source lacks the ledger. Raises SourceError."""
        ...
