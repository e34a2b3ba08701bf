"""What the tokens of the streams tell, and the schedule of reading them.

The API reads the first, and the indexer writes both. The commit adds each new token to the schedule
(shared.journal.indexes).

See docs/decisions/0084-tokens-name-themselves.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

import orjson
from redis.asyncio import Redis

from shared.domain.tokens import UNTOLD, TokenInfo
from shared.journal.indexes import TOKENS
from shared.journal.keys import Keys

ALL_TOKENS = "complete"
"""A member of the schedule that is no token: all streams that are stored have their token in it."""

_NEVER = 1 << 53
_FIRST = 1
"""Scores up to this number belong to tokens that were never read (indexes.token_entry)."""


class StoredTokens:
    """What the tokens of one namespace tell, by their address."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def put(self, tokens: Mapping[str, TokenInfo]) -> None:
        """Store what these tokens tell."""
        if tokens:
            rows: Any = {address: orjson.dumps(asdict(info)) for address, info in tokens.items()}
            await self._redis.hset(self._keys.tokens, mapping=rows)

    async def find(self, addresses: Collection[str]) -> dict[str, TokenInfo]:
        """What these tokens tell; UNTOLD for a token that was not read yet. One round trip."""
        if not addresses:
            return {}
        rows: Any = await self._redis.hmget(self._keys.tokens, list(addresses))
        return {
            address: TokenInfo(**orjson.loads(row)) if row else UNTOLD
            for address, row in zip(addresses, rows, strict=True)
        }


class DueToken(NamedTuple):
    """A token that is to be read now. `is_new`: it was never read."""

    address: str
    is_new: bool


class TokenSchedule:
    """When each token of one namespace is read next: Unix seconds; at once if it is new."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def due(self, now: int, most: int) -> list[DueToken]:
        """At most `most` tokens that are due at `now`: the new ones, then the longest due."""
        name = self._keys.index(TOKENS)
        rows: Any = await self._redis.zrange(
            name, "-inf", now, byscore=True, offset=0, num=most, withscores=True
        )
        return [DueToken(member.decode(), score <= _FIRST) for member, score in rows]

    async def add(self, tokens: Mapping[str, int]) -> None:
        """Add tokens with these scores. A token that is there keeps its time."""
        if tokens:
            await self._redis.zadd(self._keys.index(TOKENS), dict(tokens), nx=True)

    async def postpone(self, tokens: Mapping[str, int]) -> None:
        """Read each of these tokens again at this time."""
        if tokens:
            await self._redis.zadd(self._keys.index(TOKENS), dict(tokens))

    async def is_complete(self) -> bool:
        """True if the tokens of all stored streams are here. The commit adds those of new ones."""
        (score,) = await self._redis.zmscore(self._keys.index(TOKENS), [ALL_TOKENS])
        return score is not None

    async def set_complete(self) -> None:
        """Remember that the tokens of all stored streams are here."""
        await self._redis.zadd(self._keys.index(TOKENS), {ALL_TOKENS: _NEVER})
