"""Doubt about a gap: it is published when the source was asked several times for the ledgers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from services.indexer.sources import SourceGap

_LOOKS, _SECONDS = 3, 3.0


@dataclass(slots=True)
class Doubt:
    """Whether ledgers are really missing: of several servers behind one URL another may have them.

    So the source is asked for them several times, over some seconds.
    """

    clock: Callable[[], float] = time.monotonic
    _cursor: int = -1
    _since: float = 0.0
    _found: list[SourceGap] = field(default_factory=list)

    def confirmed(self, cursor: int, gap: SourceGap) -> SourceGap | None:
        """The smallest gap found at this cursor, None while the source is to be asked again."""
        if cursor != self._cursor:
            self._cursor, self._since, self._found = cursor, self.clock(), []
        self._found.append(gap)
        if len(self._found) < _LOOKS or self.clock() - self._since < _SECONDS:
            return None
        return min(self._found, key=lambda each: each.elder)
