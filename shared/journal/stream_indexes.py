"""Reading the indexes of streams: the sorted sets behind lists of streams and notices.

`shared.journal.indexes` decides which sets a stream belongs to; the commit writes them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence

from redis.asyncio import Redis

from shared.domain.events import Origin
from shared.journal.indexes import notice_schedule, stream_id_of
from shared.journal.keys import Keys


class StreamIndexes:
    """The indexes of one namespace, by their names."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def sizes(self, names: Collection[str]) -> dict[str, int]:
        """How many streams are in each index, in one round trip."""
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            pipe.zcard(self._keys.index(name))
        return dict(zip(names, await pipe.execute(), strict=True))

    async def members(
        self, name: str, after: str | None, count: int, *, newest_first: bool
    ) -> list[str]:
        """At most `count` members of an index, in its order, after the member `after`."""
        index, start = self._keys.index(name), f"({after}" if after else None
        if newest_first:
            rows = await self._redis.zrevrangebylex(index, start or "+", "-", 0, count)
        else:
            rows = await self._redis.zrangebylex(index, start or "-", "+", 0, count)
        return [row.decode() if isinstance(row, bytes) else row for row in rows]

    async def walk(self, name: str, count: int, *, newest_first: bool) -> AsyncIterator[list[str]]:
        """The ids of all streams in an index, in its order, at most `count` at a time."""
        after: str | None = None
        while members := await self.members(name, after, count, newest_first=newest_first):
            yield [stream_id_of(member) for member in members]
            after = members[-1]

    async def in_all(self, members: Sequence[str], names: Sequence[str]) -> Sequence[str]:
        """The `members` that are in every index of `names` too."""
        if not members or not names:
            return members
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            pipe.zmscore(self._keys.index(name), list(members))
        columns = zip(*await pipe.execute(), strict=True)
        return [m for m, row in zip(members, columns, strict=True) if None not in row]

    async def due(self, origin: Origin, now: int, count: int) -> list[str]:
        """Ids of at most `count` streams of an origin whose next notice is due at `now`."""
        index = self._keys.index(notice_schedule(origin))
        rows = await self._redis.zrange(index, "-inf", now, byscore=True, offset=0, num=count)
        return [row.decode() for row in rows if isinstance(row, bytes)]
