"""The Source protocol, and the batches and errors of all sources."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from shared.domain.errors import HeadraceError
from shared.domain.events import Event


class LedgerRange(NamedTuple):
    """The first and the last ledger that a source has."""

    oldest: int
    latest: int


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


class SourceError(HeadraceError):
    """A temporary failure of the source; another try may succeed.

    `kind` is a label of the metric for source errors. `retry_after`: the wait in seconds that the
    server asks for. `is_too_large`: the answer took too long or was too large, so a smaller request
    may succeed.
    """

    def __init__(
        self,
        kind: str,
        detail: str,
        retry_after: float | None = None,
        *,
        is_too_large: bool = False,
    ) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.retry_after = retry_after
        self.is_too_large = is_too_large


class FatalSourceError(HeadraceError):
    """The indexer must stop: otherwise it would lose or invent events. An operator must look.

    `kind` is a label of the alarm metric.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


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
