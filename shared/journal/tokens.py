"""The stored metadata of tokens, and the schedule by which the indexer reads it.

The indexer writes both, and the API reads the metadata. The commit of a new stream adds the token
of the stream to the schedule (shared.journal.indexes).

See docs/decisions/0084-tokens-name-themselves.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

import orjson
from redis.asyncio import Redis

from shared.domain.tokens import UNKNOWN_TOKEN, TokenInfo
from shared.journal.indexes import TOKENS
from shared.journal.keys import Keys

ALL_TOKENS = "complete"
"""A member that is not a token. It marks that the tokens of all stored streams were added."""

_NEVER = 1 << 53
_NEW_CHAIN, _NEW_API = 0, 1
"""The scores of new tokens (indexes.token_entry)."""


class StoredTokens:
    """The metadata of the tokens of one namespace, by their address."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def put(self, tokens: Mapping[str, TokenInfo]) -> None:
        """Store the metadata of these tokens."""
        if tokens:
            rows: Any = {address: orjson.dumps(asdict(info)) for address, info in tokens.items()}
            await self._redis.hset(self._keys.tokens, mapping=rows)

    async def find(self, addresses: Collection[str]) -> dict[str, TokenInfo]:
        """The metadata of these tokens, or UNKNOWN_TOKEN if it was not read. One round trip."""
        if not addresses:
            return {}
        rows: Any = await self._redis.hmget(self._keys.tokens, list(addresses))
        return {
            address: TokenInfo(**orjson.loads(row)) if row else UNKNOWN_TOKEN
            for address, row in zip(addresses, rows, strict=True)
        }


class DueToken(NamedTuple):
    """A token that is to be read now. `is_new`: no read was tried yet.

    `is_first`: the token of a chain stream, and not read yet. It is read before all others.
    """

    address: str
    is_new: bool
    is_first: bool = False

    def score(self, time: int) -> int:
        """The score with which an unread token is read again at `time`, with the same priority."""
        return time - _NEVER if self.is_first else time


class TokenSchedule:
    """The time when each token of one namespace is read next.

    The score is the time in Unix seconds. It is 0 for a new token of a chain stream, and 1 for a
    new token of an API stream: both are read at once. If a read of a chain token has failed, the
    score is the time of the next try minus 2^53. So it is below all others, and the token keeps its
    priority until it was read.
    """

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def due(self, now: int, most: int) -> list[DueToken]:
        """At most `most` tokens that are due at `now`.

        Tokens of chain streams that were not read yet are first, then new tokens of API streams,
        then all others by their time.
        """
        first = await self._range("-inf", now - _NEVER, most)
        others = await self._range(0, now, most - len(first)) if len(first) < most else []
        return [
            DueToken(member.decode(), 0 <= score <= _NEW_API, score <= _NEW_CHAIN)
            for member, score in [*first, *others]
        ]

    async def _range(self, low: int | str, high: int, most: int) -> list[tuple[bytes, float]]:
        rows: Any = await self._redis.zrange(
            self._keys.index(TOKENS), low, high, byscore=True, offset=0, num=most, withscores=True
        )
        return list(rows)

    async def add(self, tokens: Mapping[str, int]) -> None:
        """Add tokens with these scores. If a token is already there, its score does not change."""
        if tokens:
            await self._redis.zadd(self._keys.index(TOKENS), dict(tokens), nx=True)

    async def postpone(self, tokens: Mapping[str, int]) -> None:
        """Set the scores of these tokens: the time of the next read, or DueToken.score."""
        if tokens:
            await self._redis.zadd(self._keys.index(TOKENS), dict(tokens))

    async def is_complete(self) -> bool:
        """True if the tokens of all stored streams were added."""
        (score,) = await self._redis.zmscore(self._keys.index(TOKENS), [ALL_TOKENS])
        return score is not None

    async def set_complete(self) -> None:
        """Mark that the tokens of all stored streams were added."""
        await self._redis.zadd(self._keys.index(TOKENS), {ALL_TOKENS: _NEVER})
