"""Where a benchmark runs, and what it returns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from shared.journal.keys import Keys
from tests.bench.publish import Publisher

ALL = "/v1/events/subscribe?all=true"


@dataclass(frozen=True, slots=True)
class Place:
    """Its Redis, its names and its folder."""

    redis_url: str
    keys: Keys
    folder: Path

    def publisher(self, streams: int) -> Publisher:
        """A publisher into this place."""
        return Publisher(self.redis_url, self.keys, streams)


Row = tuple[str, str, str]
"""What, goal, measured."""

Case = Callable[[Place], Awaitable[list[Row]]]
