"""The environment of a benchmark, and the type of a case."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from shared.journal.keys import Keys
from tests.bench.publish import Publisher
from tests.bench.rows import Row

ALL = "/v1/events/subscribe?all=true"


@dataclass(frozen=True, slots=True)
class BenchEnvironment:
    """The Redis, the namespace and the folder that a benchmark uses, and how often it measures."""

    redis_url: str
    keys: Keys
    folder: Path
    runs: int = 5

    def publisher(self, streams: int) -> Publisher:
        """A publisher that creates this many streams in the namespace."""
        return Publisher(self.redis_url, self.keys, streams)


Measure = Callable[[BenchEnvironment], Awaitable[list[Row]]]
"""Measures a case."""
