"""The environment of a benchmark, and the rows of its result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from shared.journal.keys import Keys
from tests.bench.publish import Publisher

ALL = "/v1/events/subscribe?all=true"


@dataclass(frozen=True, slots=True)
class BenchEnvironment:
    """The Redis, the namespace and the folder that a benchmark uses."""

    redis_url: str
    keys: Keys
    folder: Path

    def publisher(self, streams: int) -> Publisher:
        """A publisher that creates this many streams in the namespace."""
        return Publisher(self.redis_url, self.keys, streams)


Row = tuple[str, str, str]
"""Description, goal, measured value."""

Case = Callable[[BenchEnvironment], Awaitable[list[Row]]]
