"""Which clock a stream goes by: the API's by the wall's, the chain's by the last ledger's close."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from shared.events import Origin
from shared.journal import Head

Clock = Callable[[], float]
"""Unix seconds."""


class Times:
    """What time it is for streams of each origin, in Unix seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def of(self, origin: Origin, head: Head) -> int:
        """Now, for a stream of that origin; by the wall too while no ledger was read yet."""
        if origin is Origin.CHAIN and head.closed_at:
            return int(datetime.fromisoformat(head.closed_at).timestamp())
        return int(self._clock())
