"""Waiting for replicas, for those who want what was acknowledged to survive a failover.

Redis acknowledges before its replicas have a write, so a failover loses the last ones. `WAIT` on
the same connection answers how many replicas have all that the connection saw, what others wrote
before included: a repetition is as sure as the first try. It makes no write undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from shared.domain.errors import HeadraceError

_MILLISECONDS = 1000


class NotReplicatedError(HeadraceError):
    """It is written, as `answers` say, and a failover now could still lose it: ask again."""

    def __init__(self, said: str, answers: Sequence[Any]) -> None:
        super().__init__(said)
        self.answers = answers


class Replicas:
    """How many must have a write before it counts; 0 = the master's word is enough.

    `redis` is to have a connection for each call, since others on the same one would wait too.
    """

    def __init__(self, redis: Redis, count: int = 0) -> None:
        self.count = count
        self._redis = redis

    def pipeline(self) -> Pipeline:
        """What `execute` takes. No transaction: within one Redis does not wait."""
        return self._redis.pipeline(transaction=False)

    async def execute(self, pipe: Pipeline) -> list[Any]:
        """What the commands answered, once so many replicas have what they wrote.

        Raises NotReplicatedError when they do not within a second.
        """
        if self.count:
            pipe.wait(self.count, _MILLISECONDS)
        answers: list[Any] = await pipe.execute()
        if self.count and (have := answers.pop()) < self.count:
            said = f"written, but {have} of {self.count} replicas have it so far"
            raise NotReplicatedError(said, answers)
        return answers

    async def aclose(self) -> None:
        """Close the connections that waited."""
        await self._redis.aclose()
