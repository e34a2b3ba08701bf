"""Read one source, and a second one only for ledgers that the first one lacks.

See docs/decisions/0043-other-source-before-a-gap.md.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

import structlog

from services.indexer import metrics
from services.indexer.sources.base import Batch, Source, SourceGapError
from services.indexer.sources.ledger_range import check_available, cursor_before
from shared.chain.errors import FatalSourceError, SourceError
from shared.domain.position import LedgerRange, parse_position

log = structlog.get_logger()


class FallbackSource:
    """A Source that reads `source`. For ledgers that `source` lacks, it reads `other`."""

    def __init__(self, source: Source, other: Source) -> None:
        self._source = source
        self._other = other

    @property
    def name(self) -> str:
        """See Source."""
        return self._source.name

    async def ledgers(self) -> LedgerRange:
        """See Source."""
        return await self._source.ledgers()

    async def latest_hash(self) -> tuple[int, str]:
        """See Source."""
        return await self._source.latest_hash()

    async def hash_of(self, ledger: int) -> str | None:
        """See Source."""
        return await self._source.hash_of(ledger)

    async def start(self, where: str) -> int:
        """See Source."""
        return await self._source.start(where)

    async def batches(self, cursor: int) -> AsyncGenerator[Batch]:
        """See Source. Raises SourceGapError for ledgers that neither source has."""
        while True:
            try:
                async with aclosing(self._source.batches(cursor)) as batches:
                    async for batch in batches:
                        yield batch
                        cursor = batch.cursor
                return
            except SourceGapError as error:
                gap = error
            except FatalSourceError as error:
                if error.kind == "reset":
                    await self._check_reset(error, cursor)
                raise
            async with aclosing(self._missing(gap)) as batches:
                async for batch in batches:
                    yield batch
                    cursor = batch.cursor

    async def _missing(self, gap: SourceGapError) -> AsyncGenerator[Batch]:
        """Read the missing ledgers from the other source.

        Raises SourceGapError for ledgers that the other source lacks too.
        """
        log.warning("ledgers_missing", error=str(gap), asking=self._other.name)
        end = cursor_before(gap.oldest)
        try:
            async with aclosing(self._other.batches(gap.read)) as batches:
                async for batch in batches:
                    yield batch_up_to(end, batch)
                    if batch.cursor >= end:
                        break
        except SourceGapError as other_gap:
            names = f"{self.name} or {self._other.name}"
            raise SourceGapError(
                names, other_gap.read, min(other_gap.oldest, gap.oldest)
            ) from other_gap
        except FatalSourceError as error:
            if error.kind != "reset":
                raise
            # Only the other source lags or was reset, so this error is temporary.
            text = f"{gap}, and {self._other.name} cannot supply them: {error}"
            raise SourceError("behind", text) from error
        metrics.MISSING.labels("filled").inc(gap.oldest - gap.first)
        log.warning("ledgers_filled", first=gap.first, last=gap.last, source=self._other.name)

    async def _check_reset(self, reset_error: FatalSourceError, cursor: int) -> None:
        """Raise SourceError if the other source can continue at the cursor.

        In this case the network was not reset: the first source only has an older database. If the
        other source cannot continue either, that source's error is raised.
        """
        available = await self._other.ledgers()
        with suppress(SourceGapError):  # the other source has later ledgers: no reset
            check_available(self._other.name, cursor, available)
        text = (
            f"{reset_error}; {self._other.name} continues, so the network was not reset: "
            f"{self.name} has an older database"
        )
        raise SourceError("behind", text) from reset_error


def batch_up_to(end: int, batch: Batch) -> Batch:
    """Return the part of a batch up to the TOID `end`."""
    if batch.cursor <= end:
        return batch
    return Batch(
        [event for event in batch.events if event.position and event.position.toid <= end],
        [letter for letter in batch.dead if parse_position(str(letter["position"])).toid <= end],
        end,
        end >> 32,
        None,
        batch.latest,
    )
