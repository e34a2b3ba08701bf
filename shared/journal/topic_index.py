"""The topic index: for each topic the positions of its events that are in the journal.

Each topic has a sorted set. Its members are positions padded with zeros, so that Redis sorts them
in the order of the journal. The commit adds to these sets and trims them together with the journal
(commit.lua). The topic "" holds the events that go to everyone.

See docs/decisions/0016-history-by-topic.md.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from redis.asyncio import Redis

from shared.domain.position import END, START, Position, parse_position
from shared.journal.keys import Keys

BROADCASTS = ""
"""The topic of the events that go to everyone."""


class TopicIndex:
    """The topic index of one namespace."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def positions(
        self,
        topics: Collection[str],
        count: int,
        *,
        after: Position = START,
        before: Position = END,
        newest_first: bool,
    ) -> list[Position]:
        """The next positions of the events of several topics, each position once, in order.

        Reads at most `count` positions of each topic, between `after` and `before` (both excluded).
        """
        low, high = f"({after.padded}", f"({before.padded}"
        pipe = self._redis.pipeline(transaction=False)
        for topic in topics:
            key = self._keys.topic(topic)
            if newest_first:
                pipe.zrevrangebylex(key, high, low, 0, count)
            else:
                pipe.zrangebylex(key, low, high, 0, count)
        members = {member for row in await pipe.execute() for member in row}
        return [parse_position(each.decode()) for each in sorted(members, reverse=newest_first)]

    async def latest(self, topics: Sequence[str]) -> list[Position]:
        """The last position of each topic, without those topics that have no event."""
        pipe = self._redis.pipeline(transaction=False)
        for topic in topics:
            pipe.zrevrangebylex(self._keys.topic(topic), "+", "-", 0, 1)
        return [parse_position(row[0].decode()) for row in await pipe.execute() if row]
