"""Waits for replicas, so that acknowledged writes survive a failover.

Redis acknowledges a write before its replicas have it, so a failover can lose the last writes.
`WAIT` returns how many replicas have all writes up to the last command of its connection, also the
writes of other connections. So a client can repeat its request to learn whether the first write is
replicated. `WAIT` never undoes a write.

See docs/decisions/0033-wait-for-replicas.md.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.commands.core import AsyncScript

from shared.domain.errors import HeadraceError

_MILLISECONDS = 1000


class NotReplicatedError(HeadraceError):
    """The write happened, but too few replicas have it yet. Repeat the request.

    `answers` are the replies to the commands.
    """

    def __init__(self, message: str, answers: Sequence[Any]) -> None:
        super().__init__(message)
        self.answers = answers


class Replicas:
    """Executes writes and waits until `count` replicas have them. It does not wait if `count` is 0.

    `redis` needs a separate connection for each call, because WAIT blocks its connection.
    """

    def __init__(self, redis: Redis, count: int = 0) -> None:
        self.count = count
        self._redis = redis

    def pipeline(self) -> Pipeline:
        """A pipeline for `execute`. It is no transaction: in a transaction WAIT does not wait."""
        return self._redis.pipeline(transaction=False)

    async def execute(self, pipe: Pipeline) -> list[Any]:
        """Execute the commands and return their replies when enough replicas have the writes.

        Raises NotReplicatedError if too few replicas have the writes after one second.
        """
        if self.count:
            pipe.wait(self.count, _MILLISECONDS)
        answers: list[Any] = await pipe.execute()
        if self.count and (have := answers.pop()) < self.count:
            message = f"The write happened, but only {have} of {self.count} replicas have it yet"
            raise NotReplicatedError(message, answers)
        return answers

    async def call(
        self,
        script: AsyncScript,
        keys: Sequence[str],
        args: Sequence[str | bytes | int],
        *,
        refusals: Collection[object],
    ) -> Any:
        """Run a script and return its reply when enough replicas have what it wrote.

        After a reply that is one of the `refusals`, the script has written nothing. So there is
        nothing to wait for. Raises NotReplicatedError.
        """
        if not self.count:
            return await script(keys=keys, args=args)
        pipe = self.pipeline()
        await script(keys=keys, args=args, client=pipe)
        try:
            return (await self.execute(pipe))[0]
        except NotReplicatedError as late:
            if late.answers[0] in refusals:
                return late.answers[0]
            raise

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
