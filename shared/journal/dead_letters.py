"""Dead letters: what the indexer could not decode, kept raw in a Redis Stream.

The commit adds them together with the indexer's progress (commit.lua), so none is lost or added
twice. The Redis Stream keeps about the last 10,000 dead letters.
"""

from __future__ import annotations

from typing import Any

import orjson
from redis.asyncio import Redis

from shared.journal.keys import Keys


class StoredDeadLetters:
    """The dead letters of one namespace."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._key = keys.dead_letters

    async def all(self) -> dict[str, dict[str, Any]]:
        """All dead letters by id, oldest first."""
        rows: Any = await self._redis.xrange(self._key)
        return {entry.decode(): orjson.loads(fields[b"letter"]) for entry, fields in rows}

    async def delete(self, entry: str) -> None:
        """Remove the dead letter with this id."""
        await self._redis.xdel(self._key, entry)

    async def count(self) -> int:
        """How many dead letters there are."""
        found: int = await self._redis.xlen(self._key)
        return found
