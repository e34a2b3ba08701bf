"""Lists of streams: pages in order of creation or of the latest change, straight from the indexes.

One filter: its index is the list. Several: the smallest of their indexes is read, and each member
looked for in the others. A stream's document is the truth in both cases, since an index may have
changed between the two reads. A call reads a bounded number of members, so a page may be short, or
empty, and still have a `next`. A member by creation never moves, so pages stay whole under inserts,
and a cursor holds for any filters; by change, what changes during the walk moves to the new end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from shared.domain.stream import Stream
from shared.journal.indexes import EVERYTHING, by_change, indexes_of, stream_id_of
from shared.journal.keys import Keys

LoadStreams = Callable[[Collection[str]], Awaitable[Mapping[str, Stream | None]]]

CHUNK_SIZE = 250
"""Members read at once when several filters are given."""

MAX_READ = 1000
"""Members read for one page of several filters before it is given out short."""


@dataclass(frozen=True, slots=True)
class StreamListPage:
    """Streams, the member to go on after (None at the end), and how many there are if known."""

    streams: Sequence[Stream]
    last: str | None
    total: int | None


class StreamListing:
    """The indexes of one namespace; `load` gives the stored streams of some ids."""

    def __init__(self, redis: Redis, keys: Keys, load: LoadStreams) -> None:
        self._redis = redis
        self._keys = keys
        self._load = load

    async def page(
        self,
        wanted: frozenset[str],
        *,
        after: str | None,
        limit: int,
        newest_first: bool,
        by_latest_change: bool = False,
    ) -> StreamListPage:
        """At most `limit` streams that stand in all indexes of `wanted`, following `after`."""
        sizes = await self._sizes(wanted)
        names = sorted(wanted, key=sizes.__getitem__)
        total = sizes[names[0]] if len(names) == 1 else None
        index, others = names[0], names[1:]
        if by_latest_change:
            index, others = _by_change(names), []
        alone = wanted == {index.removeprefix("updated:")}
        count, rounds = (limit + 1, 1) if alone else (CHUNK_SIZE, max(1, MAX_READ // CHUNK_SIZE))
        found: list[Stream] = []
        read = after
        for _ in range(rounds):
            members = await self._members(index, read, count, newest_first)
            passing = await self._in_all(members, others)
            # Whoever stands in all indexes is nearly sure to be found: no more than needed is read.
            few = passing[: limit + 1 - len(found)] if others else passing
            for member, stream in await self._streams(few):
                if len(found) == limit:
                    return StreamListPage(found, after, total)
                after = member
                if stream is not None and wanted <= indexes_of(stream):
                    found.append(stream)
            if len(few) < len(passing):
                return StreamListPage(found, after, total)
            if len(members) < count:
                return StreamListPage(found, None, total)
            if len(found) == limit:
                break
            after = read = members[-1]
        return StreamListPage(found, after, total)

    async def _sizes(self, names: Collection[str]) -> dict[str, int]:
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            pipe.zcard(self._keys.index(name))
        return dict(zip(names, await pipe.execute(), strict=True))

    async def _in_all(self, members: Sequence[str], others: Sequence[str]) -> Sequence[str]:
        """Those of the members that stand in the other indexes as well."""
        if not members or not others:
            return members
        pipe = self._redis.pipeline(transaction=False)
        for name in others:
            pipe.zmscore(self._keys.index(name), list(members))
        columns = zip(*await pipe.execute(), strict=True)
        return [m for m, row in zip(members, columns, strict=True) if None not in row]

    async def _streams(self, members: Sequence[str]) -> list[tuple[str, Stream | None]]:
        streams = await self._load([stream_id_of(member) for member in members])
        return list(zip(members, streams.values(), strict=True))

    async def _members(
        self, name: str, after: str | None, count: int, newest_first: bool
    ) -> list[str]:
        index, start = self._keys.index(name), f"({after}" if after else None
        if newest_first:
            rows = await self._redis.zrevrangebylex(index, start or "+", "-", 0, count)
        else:
            rows = await self._redis.zrangebylex(index, start or "-", "+", 0, count)
        return [row.decode() if isinstance(row, bytes) else row for row in rows]


def _by_change(names: Sequence[str]) -> str:
    """The first of the names that are ordered by change too; else the list of everything."""
    found = (by_change(name) for name in names)
    return next(filter(None, found), None) or f"updated:{EVERYTHING}"
