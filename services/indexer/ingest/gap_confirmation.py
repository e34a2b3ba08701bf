"""Publish a gap only after the source was asked several times for the missing ledgers.

See docs/decisions/0042-ledgers-are-counted.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from services.indexer.sources.base import SourceGapError

_MIN_CHECKS, _MIN_SECONDS = 3, 3.0


@dataclass(slots=True)
class GapConfirmation:
    """Confirms a gap after a source lacked ledgers three times, over at least three seconds.

    Several servers may answer at one URL, and one of them may have the ledgers that another one
    lacks.
    """

    clock: Callable[[], float] = time.monotonic
    _cursor: int = -1
    _first_at: float = 0.0
    _gaps: list[SourceGapError] = field(default_factory=list)

    def confirm(self, cursor: int, gap: SourceGapError) -> SourceGapError | None:
        """Count a reported gap. Returns the smallest one at this cursor, or None: ask again."""
        if cursor != self._cursor:
            self._cursor, self._first_at, self._gaps = cursor, self.clock(), []
        self._gaps.append(gap)
        if len(self._gaps) < _MIN_CHECKS or self.clock() - self._first_at < _MIN_SECONDS:
            return None
        return min(self._gaps, key=lambda each: each.oldest)
