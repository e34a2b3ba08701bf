"""Reading the journal: events, nothing new, or a gap.

The journal is the truth; the channel only carries it sooner. Every entry names the position of the
entry before it. All readers go through here, where each of these names is checked, within a page
and from page to page. The first entry names the position at which the journal began, or the last
entry that was trimmed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import structlog
from redis.asyncio import Redis

from shared.domain.instant import unix_seconds
from shared.domain.position import END, START, Position, parse_position
from shared.journal.keys import Keys
from shared.journal.wire import JournalEntry, entry_of
from shared.runtime.metrics import LOST_ENTRY

log = structlog.get_logger()

_REMEMBERED = 10_000
_HEAD = ("ledger", "closedAt", "cursor", "began", "told", "first", "server")


@dataclass(frozen=True, slots=True)
class JournalPage:
    """The entries that follow, oldest first, none missing; `more`: further ones may follow."""

    entries: Sequence[JournalEntry]
    more: bool


@dataclass(frozen=True, slots=True)
class NoNewEvents:
    """There is no entry after the position."""


@dataclass(frozen=True, slots=True)
class JournalGap:
    """Entries after the position are missing; the history goes on after `resumes_after`."""

    resumes_after: Position


@dataclass(frozen=True, slots=True)
class JournalTip:
    """How far the journal goes and how far the source was read.

    `top` is the position of the last entry, or the start of the journal while it is `empty`.
    `cursor` (a TOID) and `began` are None until an indexer has written. `last_reset` is the
    position of the last `journal.reset` event, which announces that Redis lost all data. `first` is
    the position that the journal's first entry ever named as the entry before it. A different value
    means that the journal alone was deleted and written again. `server` is the replication id of
    the Redis whose history the indexer has accepted; a failover or a restart changes it.
    """

    top: Position
    ledger: int | None
    closed_at: float | None
    cursor: int | None = None
    began: Position | None = None
    last_reset: Position = START
    empty: bool = False
    first: str | None = None
    server: str | None = None


class Journal:
    """The journal of one namespace."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._counted: set[str] = set()

    async def after(
        self, position: Position, limit: int = 500
    ) -> JournalPage | NoNewEvents | JournalGap:
        """The page of entries that follow `position`, up to the first that is missing.

        From START only trimmed entries are a gap, not what was before the journal began.
        """
        if position == END:  # Redis refuses to look beyond it
            return NoNewEvents()
        rows = await self._redis.xrange(self._keys.journal, min=f"({position}", count=limit)
        if not rows:
            began = await self._began()
            return JournalGap(began) if START < position < began else NoNewEvents()
        entries = _entries(rows)
        before = parse_position(entries[0].previous)
        if before > position and not (position == START and before == await self._began()):
            await self._count_unless_trimmed(entries[0])
            return JournalGap(before)
        whole = next((n for n, _ in self.holes(entries)), len(entries))
        return JournalPage(entries[:whole], whole < len(entries) or len(entries) == limit)

    def holes(self, entries: Sequence[JournalEntry]) -> Iterator[tuple[int, Position]]:
        """Where entries are missing among these, oldest first.

        Yields the index of the entry after the hole, and the last position that is missing. Each
        hole is logged and counted once.
        """
        for n, (one, other) in enumerate(pairwise(entries), 1):
            if other.previous != one.position:
                self.count_missing(other.previous)
                yield n, parse_position(other.previous)

    async def between(
        self, after: Position, before: Position, count: int, *, newest_first: bool
    ) -> list[JournalEntry]:
        """At most `count` entries between two positions, both exclusive. See `holes`."""
        low, high, journal = f"({after}", f"({before}", self._keys.journal
        if newest_first:
            return _entries(await self._redis.xrevrange(journal, max=high, min=low, count=count))
        return _entries(await self._redis.xrange(journal, min=low, max=high, count=count))

    async def latest(self, limit: int) -> list[JournalEntry]:
        """The newest entries, oldest first, none missing among them."""
        rows = await self._redis.xrevrange(self._keys.journal, count=limit)
        entries = _entries(rows)[::-1]
        return entries[max((n for n, _ in self.holes(entries)), default=0) :]

    async def tip(self) -> JournalTip:
        """Top of the journal and progress of the source, in one round trip."""
        tip, _ = await self.tip_and(())
        return tip

    async def tip_and(self, names: Sequence[str]) -> tuple[JournalTip, list[bytes | None]]:
        """The head, and the values of these keys at that time or later, in one round trip.

        The progress is read first, so all events up to the head's cursor are at or below its top.
        """
        pipe = self._redis.pipeline(transaction=False)
        pipe.hmget(self._keys.progress, list(_HEAD))
        pipe.xrevrange(self._keys.journal, count=1)
        if names:
            pipe.mget(names)
        progress, rows, *values = await pipe.execute()
        return _tip(progress, rows), values[0] if values else []

    async def _began(self) -> Position:
        stored: Any = await self._redis.hget(self._keys.progress, "began")
        return parse_position(stored.decode()) if stored else START

    async def _count_unless_trimmed(self, entry: JournalEntry) -> None:
        """Count what is missing before an entry, unless it was trimmed: no older entry is there."""
        rows: Any = await self._redis.xrange(self._keys.journal, count=1)
        if rows and parse_position(rows[0][0].decode()) < parse_position(entry.position):
            self.count_missing(entry.previous)

    def count_missing(self, position: str) -> None:
        """Log and count, once, that entries up to this position are missing inside the journal."""
        if position in self._counted:
            return
        if len(self._counted) >= _REMEMBERED:
            self._counted.clear()
        self._counted.add(position)
        LOST_ENTRY.inc()
        log.error("journal_entries_missing", up_to=position)


def _tip(progress: Sequence[bytes | None], rows: Any) -> JournalTip:
    ledger, closed_at, cursor, began, last_reset, first, server = [
        each.decode() if each else None for each in progress
    ]
    start = parse_position(began) if began else None
    return JournalTip(
        top=parse_position(rows[0][0].decode()) if rows else start or START,
        ledger=int(ledger) if ledger else None,
        closed_at=unix_seconds(closed_at) if closed_at else None,
        cursor=int(cursor.partition("-")[0]) if cursor else None,
        began=start,
        last_reset=parse_position(last_reset) if last_reset else START,
        empty=not rows,
        first=first,
        server=server,
    )


def _entries(rows: Any) -> list[JournalEntry]:
    """From redis-py's rows, whose types cover decoded answers that we never ask for."""
    return [entry_of(position, fields) for position, fields in rows]
