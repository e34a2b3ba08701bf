"""Calls of the object store that are tried again for ever. Events go on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from services.archiver import metrics
from shared.archive.errors import ArchiveUnavailableError
from shared.runtime.tasks import backoff
from shared.web.probes import Readiness

log = structlog.get_logger()

T = TypeVar("T")

_LONGEST_WAIT = 30.0


class PatientStore:
    """Sets the alarm `store` and the part `archive` of /readyz while the store is away."""

    def __init__(self, readiness: Readiness, *, longest_wait: float = _LONGEST_WAIT) -> None:
        self._readiness = readiness
        self._longest_wait = longest_wait

    async def call(self, what: Callable[[], Awaitable[T]]) -> T:
        """Call until the store answers. All errors but ArchiveUnavailableError are raised."""
        waits, failed = backoff(0.2, self._longest_wait), False
        while True:
            try:
                answer = await what()
            except ArchiveUnavailableError as error:
                self._away(error, new=not failed)
                failed = True
                await asyncio.sleep(next(waits))
            else:
                self._answers(was_away=failed)
                return answer

    def _away(self, error: Exception, *, new: bool) -> None:
        metrics.STORE_ERRORS.inc()
        metrics.ALARM.labels("store").set(1)
        self._readiness.set("archive", f"the archive cannot be used: {error}")
        if new:
            meaning = "events go on, and the journal grows until the store is back"
            log.error("archive_unavailable", error=str(error), meaning=meaning)

    def _answers(self, *, was_away: bool) -> None:
        metrics.ALARM.labels("store").set(0)
        self._readiness.set("archive", None)
        if was_away:
            log.info("archive_available")
