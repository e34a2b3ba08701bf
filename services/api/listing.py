"""Lists of streams: pages in order of creation, straight from the indexes.

One filter: its index is the list. Several: the smallest of their indexes is read, and each stream
tested against the others. A stream's document is the truth in both cases, since an index may have
changed between the two reads. A call reads a bounded number of streams, so a page may be short, or
empty, and still have a `next`. A member never moves, so pages stay whole under inserts, and a
cursor holds for any filters.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from redis.asyncio import Redis

from shared.indexes import indexes_of, stream_id_of
from shared.keys import Keys
from shared.streams import Stream

Load = Callable[[Collection[str]], Awaitable[Mapping[str, Stream | None]]]

CHUNK = 250
"""Streams read at once when several filters are given."""

MOST_READ = 1000
"""Streams read for one page of several filters before it is given out short."""


class Listing:
    """The indexes of one namespace; `load` gives the stored streams of some ids."""

    def __init__(self, redis: Redis, keys: Keys, load: Load) -> None:
        self._redis = redis
        self._keys = keys
        self._load = load

    async def page(
        self, wanted: frozenset[str], *, after: str | None, limit: int, newest_first: bool
    ) -> tuple[list[Stream], str | None]:
        """At most `limit` streams that stand in all indexes of `wanted`, following `after`.

        Also the member to go on after, None at the end.
        """
        index = await self._smallest(sorted(wanted))
        chunk = limit + 1 if len(wanted) == 1 else CHUNK
        found: list[Stream] = []
        for _ in range(max(1, MOST_READ // chunk)):
            members = await self._members(index, after, chunk, newest_first)
            streams = await self._load([stream_id_of(m) for m in members])
            for member, stream in zip(members, streams.values(), strict=True):
                if len(found) == limit:
                    return found, after
                after = member
                if stream is not None and wanted <= indexes_of(stream):
                    found.append(stream)
            if len(members) < chunk:
                return found, None
        return found, after

    async def _smallest(self, names: Sequence[str]) -> str:
        if len(names) == 1:
            return self._keys.index(names[0])
        indexes = [self._keys.index(name) for name in names]
        pipe = self._redis.pipeline(transaction=False)
        for index in indexes:
            pipe.zcard(index)
        sizes = await pipe.execute()
        return min(zip(sizes, indexes, strict=True))[1]

    async def _members(
        self, index: str, after: str | None, count: int, newest_first: bool
    ) -> list[str]:
        start = f"({after}" if after else None
        if newest_first:
            rows = await self._redis.zrevrangebylex(index, start or "+", "-", 0, count)
        else:
            rows = await self._redis.zrangebylex(index, start or "-", "+", 0, count)
        return [row.decode() if isinstance(row, bytes) else row for row in rows]
