"""The time of a stream: Redis' clock for API streams, the last ledger's close for chain streams.

The machine's own clock is not used: replicas would disagree (shared.redis.clock).
"""

from __future__ import annotations

from shared.domain.events import Origin
from shared.journal.reader import JournalTip
from shared.redis.clock import Clock


class StreamClock:
    """What time it is for streams of each origin, in Unix seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def of(self, origin: Origin, head: JournalTip) -> int:
        """Now, for a stream of that origin; by the clock too while no ledger was read yet."""
        if origin is Origin.CHAIN and head.closed_at is not None:
            return int(head.closed_at)
        return int(self._clock())
