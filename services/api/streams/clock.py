"""The current time for a stream.

For an API stream, this is the time of Redis' clock. For a chain stream, this is the close time of
the last ledger that was read. The machine's own clock is not used, because the clocks of two
replicas can differ (shared.redis.clock).
"""

from __future__ import annotations

from shared.domain.events import Origin
from shared.journal.reader import JournalTip
from shared.redis.clock import Clock


class StreamClock:
    """The current time for streams of each origin, in Unix seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def of(self, origin: Origin, tip: JournalTip) -> int:
        """The time for a stream of this origin. Before the first ledger was read: Redis' time."""
        if origin is Origin.CHAIN and tip.closed_at is not None:
            return int(tip.closed_at)
        return int(self._clock())
