"""Calls of the object store that are tried again for a while. Events go on meanwhile.

See docs/decisions/0125-an-archiver-gives-up-its-lease.md.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from services.archiver import metrics
from shared.archive.errors import ArchiveUnavailableError
from shared.runtime.tasks import ExpectedRestart, backoff
from shared.web.probes import Readiness

log = structlog.get_logger()

T = TypeVar("T")

_LONGEST_WAIT = 30.0


class StoreAwayError(ExpectedRestart):
    """The store was away for too long, so another archiver may try."""


class PatientStore:
    """Sets the alarm `store` and the part `archive` of /readyz while the store is away.

    `patience`: for so many seconds without an answer calls are tried again.
    """

    def __init__(
        self,
        readiness: Readiness,
        *,
        patience: float = math.inf,
        longest_wait: float = _LONGEST_WAIT,
    ) -> None:
        self._readiness = readiness
        self._patience = patience
        self._longest_wait = longest_wait
        self._away_since: float | None = None

    @property
    def is_away(self) -> bool:
        """True if the last call has failed."""
        return self._away_since is not None

    async def call(self, what: Callable[[], Awaitable[T]]) -> T:
        """Call until the store answers. Raises StoreAwayError when the patience ends.

        All errors of `what` but ArchiveUnavailableError are raised.
        """
        return await self._retried(what, self._patience)

    async def until_back(self, what: Callable[[], Awaitable[T]]) -> T:
        """Like `call`, but for ever."""
        return await self._retried(what, math.inf)

    async def _retried(self, what: Callable[[], Awaitable[T]], patience: float) -> T:
        waits, now = backoff(0.2, self._longest_wait), asyncio.get_running_loop().time
        while True:
            try:
                answer = await what()
            except ArchiveUnavailableError as error:
                since = self._away(error, now())
                if now() - since >= patience:
                    raise StoreAwayError(
                        f"the store has been away for {now() - since:.0f} s, so the lease is given "
                        f"up: {error}"
                    ) from error
                await asyncio.sleep(next(waits))
            else:
                self._answers()
                return answer

    def _away(self, error: Exception, now: float) -> float:
        """Since when the store is away."""
        metrics.STORE_ERRORS.inc()
        metrics.ALARM.labels("store").set(1)
        self._readiness.set("archive", f"the archive cannot be used: {error}")
        if self._away_since is None:
            self._away_since = now
            meaning = "events go on, and the journal grows until the store is back"
            log.error("archive_unavailable", error=str(error), meaning=meaning)
        return self._away_since

    def _answers(self) -> None:
        metrics.ALARM.labels("store").set(0)
        self._readiness.set("archive", None)
        if self._away_since is not None:
            log.info("archive_available")
        self._away_since = None
