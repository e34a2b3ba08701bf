"""Sources: where chain events come from, all of one shape."""

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
    """What was read since the batch before: whole transactions only, in order.

    `cursor` is the TOID up to which everything was read, events or not; `closed_at` is the close
    of `ledger` as the source writes it, None when it did not say. `latest` is the last ledger that
    the source knew, 0 before it was asked.
    """

    events: Sequence[Event]
    dead: Sequence[dict[str, object]]
    cursor: int
    ledger: int
    closed_at: str | None
    latest: int = 0


class SourceError(HeadraceError):
    """The source failed in a way that another try may mend; `kind` is for the metric.

    `retry_after` is in seconds. `is_too_large`: the answer took too long or was too large, so a
    request for less may succeed.
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
    """Going on would lose or invent events: an operator has to look. `kind` is for the metric."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


class SourceGapError(FatalSourceError):
    """Ledgers are missing: all up to the TOID `read` was read; the source goes on at `oldest`.

    They were trimmed, or are a hole in the history. Of the first one, a part may have been read.
    """

    def __init__(self, name: str, read: int, oldest: int) -> None:
        self.read = read
        self.oldest = oldest
        text = f"ledgers {self.first} to {self.last} are not in the history of {name}"
        super().__init__("gap", text)

    @property
    def first(self) -> int:
        """The first ledger of which at least a part is missing."""
        return (self.read + 1) >> 32

    @property
    def last(self) -> int:
        """The last ledger that is missing."""
        return self.oldest - 1


class Source(Protocol):
    """One way to read the chain."""

    @property
    def name(self) -> str:
        """How it is called in logs and metrics: that of the source which is read now."""
        ...

    async def start(self, where: str) -> int:
        """The cursor for `latest`, `earliest` or a ledger's number."""
        ...

    def batches(self, cursor: int) -> AsyncGenerator[Batch]:
        """Everything after the cursor, for ever. The next may be asked for before this is kept.

        Whoever stops asking closes it, since a connection hangs on it. Raises SourceError for
        another try, SourceGapError and FatalSourceError.
        """
        ...

    async def ledgers(self) -> LedgerRange:
        """What it has now, of the right network. Raises SourceError, FatalSourceError."""
        ...

    async def latest_hash(self) -> tuple[int, str]:
        """Number and hash (hex) of a ledger at or near its tip. Raises SourceError."""
        ...

    async def hash_of(self, ledger: int) -> str | None:
        """A ledger's hash, None when the source does not have that ledger. Raises SourceError."""
        ...
