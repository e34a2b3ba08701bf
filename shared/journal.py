"""Reading the journal: events, nothing new, or a gap.

The journal is the truth; the channel only carries it sooner. Every entry names the position of the
one before it, so a reader proves from what it reads that nothing is missing, without counters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from shared.keys import Keys
from shared.positions import END, START, Position, parse_position
from shared.wire import Entry, entry_of


@dataclass(frozen=True, slots=True)
class Events:
    """The entries that follow, oldest first, none missing; `more` when the page was full."""

    entries: Sequence[Entry]
    more: bool


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is no entry after the position."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Entries after the position were trimmed; the history goes on after `resumes_after`."""

    resumes_after: Position


@dataclass(frozen=True, slots=True)
class Head:
    """How far the journal goes and how far the source was read."""

    top: Position
    ledger: int | None
    closed_at: str | None


class Journal:
    """The journal of one namespace."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def after(self, position: Position, limit: int = 500) -> Events | Nothing | Gap:
        """The page of entries that follow `position`."""
        if position == END:  # Redis refuses to look beyond it
            return Nothing()
        rows = await self._redis.xrange(self._keys.journal, min=f"({position}", count=limit)
        if not rows:
            return Nothing()
        entries = _entries(rows)
        before = parse_position(entries[0].previous)
        if before > position:
            return Gap(before)
        return Events(entries, len(entries) == limit)

    async def latest(self, limit: int) -> list[Entry]:
        """The newest entries, oldest first."""
        rows = await self._redis.xrevrange(self._keys.journal, count=limit)
        return _entries(rows)[::-1]

    async def head(self) -> Head:
        """Top of the journal and progress of the source, in one round trip."""
        head, _ = await self.head_and(())
        return head

    async def head_and(self, names: Sequence[str]) -> tuple[Head, list[bytes | None]]:
        """The head, and the values of these keys at that time or later, in one round trip."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.xrevrange(self._keys.journal, count=1)
        pipe.hmget(self._keys.progress, ["ledger", "closedAt"])
        if names:
            pipe.mget(names)
        rows, (ledger, closed_at), *values = await pipe.execute()
        head = Head(
            top=parse_position(rows[0][0].decode()) if rows else START,
            ledger=int(ledger) if ledger else None,
            closed_at=closed_at.decode() if closed_at else None,
        )
        return head, values[0] if values else []


def _entries(rows: Any) -> list[Entry]:
    """From redis-py's rows, whose types cover decoded answers that we never ask for."""
    return [entry_of(position, fields) for position, fields in rows]
