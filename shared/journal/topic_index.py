"""The topic index: for each topic the positions of its events that are in the journal.

Each topic has a sorted set. Its members are positions padded with zeros, so that Redis sorts them
in the order of the journal. The commit adds to these sets and trims them together with the journal
(commit.lua). The topic "" holds the events that go to everyone.

See docs/decisions/0016-history-by-topic.md.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from shared.domain.position import END, START, Position, parse_position
from shared.journal.keys import Keys
from shared.journal.reported import Reported
from shared.runtime.metrics import LOST_TOPIC

log = structlog.get_logger()

_reported = Reported()
"""The keys of the damaged sets that were counted."""

BROADCASTS = ""
"""The topic of the events that go to everyone."""

MEMBER_BYTES = 41
"""The size of a padded position."""

_MEMBERS = 4_000
"""About how many members one read returns, of all topics together."""


class TopicPositions(NamedTuple):
    """The next positions of the events of several topics, each position once, in order.

    If `complete` is False, further positions follow. `members` is the number of members that Redis
    returned for this read.
    """

    positions: list[Position]
    complete: bool
    members: int


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
    ) -> TopicPositions:
        """At most `count` positions between `after` and `before` (both excluded)."""
        pipe = self._redis.pipeline(transaction=False)
        reading = TopicReading(topics, count, newest_first=newest_first)
        reading.queue(pipe, self._keys, after, before)
        return reading.parse(await pipe.execute())

    async def following(
        self, topics: Sequence[str], after: Position, count: int
    ) -> dict[str, list[Position]]:
        """The first `count` positions of each topic after `after`, which is excluded."""
        pipe = self._redis.pipeline(transaction=False)
        for topic in topics:
            pipe.zrangebylex(self._keys.topic(topic), f"({after.padded}", "+", 0, count)
        rows = zip(topics, await pipe.execute(), strict=True)
        return {topic: [parse_position(each.decode()) for each in row] for topic, row in rows}

    async def latest(self, topics: Sequence[str]) -> list[Position]:
        """The last position of each topic, without those topics that have no event."""
        pipe = self._redis.pipeline(transaction=False)
        for topic in topics:
            pipe.zrevrangebylex(self._keys.topic(topic), "+", "-", 0, 1)
        return [parse_position(row[0].decode()) for row in await pipe.execute() if row]


class TopicReading:
    """One read of positions, as a part of a pipeline: `queue` it, then `parse` its replies.

    Of each topic it reads at most `count` members and one more, but fewer if there are many topics.
    """

    def __init__(self, topics: Collection[str], count: int, *, newest_first: bool) -> None:
        self._topics = topics
        self._count = count
        self._newest_first = newest_first
        self._of_each = min(count + 1, max(2, _MEMBERS // max(1, len(topics))))

    def queue(self, pipe: Pipeline, keys: Keys, after: Position, before: Position) -> None:
        """Add one command for each topic to the pipeline."""
        low, high = f"({after.padded}", f"({before.padded}"
        for topic in self._topics:
            if self._newest_first:
                pipe.zrevrangebylex(keys.topic(topic), high, low, 0, self._of_each)
            else:
                pipe.zrangebylex(keys.topic(topic), low, high, 0, self._of_each)

    def parse(self, rows: Sequence[Any]) -> TopicPositions:
        """At most `count` positions. Each topic was read at least up to the last of them."""
        newest_first, read = self._newest_first, sum(map(len, rows))
        members: list[bytes] = sorted({m for row in rows for m in row}, reverse=newest_first)
        cut = [row[-1] for row in rows if len(row) == self._of_each]
        if cut and newest_first:
            members = [m for m in members if m >= max(cut)]
        elif cut:
            members = [m for m in members if m <= min(cut)]
        positions = [parse_position(m.decode()) for m in members[: self._count]]
        return TopicPositions(positions, not cut and len(members) <= self._count, read)


def report_damaged(keys: Collection[str]) -> None:
    """Log and count sets that lack a member which a commit expected. Each set is counted once."""
    new = sorted(key for key in keys if _reported.is_new(key))
    if new:
        LOST_TOPIC.inc(len(new))
        log.error("topics_damaged", count=len(new), keys=new[:10])
