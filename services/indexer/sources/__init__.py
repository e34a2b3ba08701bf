"""Sources: where chain events come from, all of one shape."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.events import Event


@dataclass(frozen=True, slots=True)
class Batch:
    """What was read since the batch before: whole transactions only, in order.

    `cursor` is the TOID up to which everything was read, events or not; `closed_at` is the close
    of `ledger` as the source writes it.
    """

    events: Sequence[Event]
    dead: Sequence[dict[str, object]]
    cursor: int
    ledger: int
    closed_at: str


class SourceError(Exception):
    """The source failed in a way that another try may mend; `kind` is for the metric."""

    def __init__(self, kind: str, detail: str, retry_after: float | None = None) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.retry_after = retry_after


class SourceFatal(Exception):
    """Going on would lose or invent events: an operator has to look. `kind` is for the metric."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


class Source(Protocol):
    """One way to read the chain."""

    async def start(self, where: str) -> int:
        """The cursor for `latest`, `earliest` or a ledger's number."""
        ...

    def batches(self, cursor: int) -> AsyncGenerator[Batch]:
        """Everything after the cursor, for ever. The next batch is asked for once this is kept.

        Whoever stops asking closes it, since a connection hangs on it.
        """
        ...
