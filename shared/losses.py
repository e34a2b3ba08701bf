"""Losses: noticing that Redis was emptied, and telling the indexer what one knew before.

A Redis that lost everything (FLUSHALL, an empty volume) looks like a new one. Every process
remembers how far the journal went, so each that lives on notices, and writes down what it knew
where the indexer looks before it begins anew. Who needs to be told is told by the indexer, with one
event (docs/decisions.md 49).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import structlog
from redis.asyncio import Redis

from shared.journal import Head, Journal
from shared.keys import Keys
from shared.metrics import LOST_EVERYTHING
from shared.positions import START, Position, parse_position

log = structlog.get_logger()

_KEPT_MS = 60_000
"""Reports are written again every second or so for as long as they matter."""


class Report(NamedTuple):
    """What a process knew: the cursor up to which all is known to it, the highest position."""

    cursor: int | None
    top: Position


@dataclass(slots=True)
class Memory:
    """What this process knows of the journal, and whether Redis has lost it."""

    began: Position | None = None
    top: Position = START
    cursor: int | None = None
    lost: bool = False
    first: str | None = None

    def saw(self, position: Position, cursor: int | None) -> None:
        """All events up to the position and to the cursor are known here."""
        if not self.lost:
            self.top = max(self.top, position)
            self.cursor = cursor if self.cursor is None else max(self.cursor, cursor or 0)

    def look(self, head: Head) -> bool:
        """Whether this head is the first to show that Redis was emptied.

        `lost` from then on, until everyone was told.
        """
        if self.lost and head.told >= self.top:
            self.forget(head)
        emptied = not self.lost and self._is_emptied(head)
        if emptied:
            self.lost = True
            LOST_EVERYTHING.inc()
            log.error("redis_emptied", knew=str(self.top), cursor=self.cursor)
        self.began = head.began or self.began
        self.first = head.first or self.first
        return emptied

    def forget(self, head: Head) -> None:
        """Go on from what is there now: everyone was told of what is not."""
        self.lost, self.top, self.cursor, self.began = False, head.top, head.cursor, head.began
        self.first = head.first

    def _is_emptied(self, head: Head) -> bool:
        if self.began is None or head.began is None:
            return head.empty and self.top > START
        if self.began != head.began or (self.first and self.first != (head.first or self.first)):
            return True
        # The journal alone: after a failover the cursor would have gone back with it.
        went_back = (head.cursor or 0) < (self.cursor or 0)
        return head.empty and head.top < self.top and not went_back

    @property
    def sentence(self) -> str:
        """For /readyz."""
        return f"Redis was emptied: it had events up to {self.top}"


async def report(redis: Redis, keys: Keys, name: str, memory: Memory) -> None:
    """Write down what was known, under the name of this process."""
    pipe = redis.pipeline(transaction=False)
    cursor = "" if memory.cursor is None else memory.cursor
    pipe.hset(keys.losses, name, f"{cursor} {memory.top}")
    pipe.pexpire(keys.losses, _KEPT_MS)
    await pipe.execute()


async def reports(redis: Redis, keys: Keys) -> list[Report]:
    """What processes knew that noticed a loss lately."""
    found = []
    values: Any = await redis.hvals(keys.losses)
    for value in values:
        cursor, _, top = value.decode().partition(" ")
        found.append(Report(int(cursor) if cursor else None, parse_position(top)))
    return found


async def remember(redis: Redis, keys: Keys, memory: Memory, *, name: str) -> Head:
    """Look at the head once and keep it in mind; report what was lost, until everyone was told."""
    head = await Journal(redis, keys).head()
    memory.look(head)
    memory.saw(head.top, head.cursor)
    if memory.lost:
        await report(redis, keys, name, memory)
    return head
