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
    """The events that a source read since the previous batch, in order, of whole transactions only.

    `cursor`: the TOID up to which everything was read, with or without events. `ledger` is the last
    ledger whose close is known; `closed_at` is its close time (ISO 8601, as the source writes it),
    None if the source gave none. `latest`: the source's last ledger, 0 if not known yet.
    """

    events: Sequence[Event]
    dead: Sequence[dict[str, object]]
    cursor: int
    ledger: int
    closed_at: str | None
    latest: int = 0


class SourceError(HeadraceError):
    """A temporary failure of the source; another try may succeed.

    `kind` is a label of the metric. `retry_after`: the wait in seconds that the server asks for.
    `is_too_large`: the answer took too long or was too large, so a smaller request may succeed.
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
    """The indexer must stop, since it would lose or invent events. An operator must look.

    `kind` is a label of the alarm metric.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


class SourceGapError(FatalSourceError):
    """Ledgers are missing: trimmed, or a hole in the source's database.

    Everything up to the TOID `read` was read. The source has ledgers again from `oldest` on. Part
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
        """The cursor for START: `latest`, `earliest` or a ledger number.

        Raises SourceError, FatalSourceError.
        """
        ...

    def batches(self, cursor: int) -> AsyncGenerator[Batch]:
        """Everything after the cursor, without end; at the tip, new ledgers as they close.

        The consumer may ask for the next batch before the previous one is committed. It must close
        the generator (aclosing), which holds a connection. Raises SourceError, SourceGapError,
        FatalSourceError.
        """
        ...

    async def ledgers(self) -> LedgerRange:
        """The ledgers that the source has now.

        Raises SourceError; FatalSourceError if the source serves another network.
        """
        ...

    async def latest_hash(self) -> tuple[int, str]:
        """Number and hash (hex) of a ledger at or near the tip. Raises SourceError."""
        ...

    async def hash_of(self, ledger: int) -> str | None:
        """The hash (hex) of a ledger, None if the source does not have it. Raises SourceError."""
        ...
