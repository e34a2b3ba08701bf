"""Reading the journal: a page of events, nothing new, or a gap.

The journal in Redis is the truth; the pub/sub channel only delivers its events sooner. Every entry
names the position of the entry before it (its `previous`). The oldest entry in Redis names the
start of the journal or the last entry that was trimmed. All readers use this module. It compares
each `previous` with the entry before, also from page to page, and so finds entries that are
missing.

See docs/decisions/0002-journal-is-the-truth.md,
docs/decisions/0050-every-entry-is-checked.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from shared.domain.position import END, START, Position, parse_position, toid
from shared.journal import progress
from shared.journal.keys import Keys
from shared.journal.reported import Reported
from shared.journal.wire import JournalEntry, entry_of
from shared.runtime.metrics import LOST_ENTRY

log = structlog.get_logger()

_PAGE = 1_000
"""Entries in one read of `of_ledgers`."""


@dataclass(frozen=True, slots=True)
class JournalPage:
    """The next entries, oldest first; none is missing between them.

    If `more` is True, further entries may follow. `end` is the position up to which everything was
    read.
    """

    entries: Sequence[JournalEntry]
    more: bool
    end: Position


@dataclass(frozen=True, slots=True)
class NoNewEvents:
    """There is no entry after the position."""


@dataclass(frozen=True, slots=True)
class JournalGap:
    """Entries after the position are missing; the history continues after `resumes_after`."""

    resumes_after: Position


Page: TypeAlias = JournalPage | NoNewEvents | JournalGap
"""The three answers of a read."""


class JournalTip(NamedTuple):
    """The end of the journal, and how far the source has been read.

    `top` is the position of the last entry, or the start of the journal while it is `empty`.
    `closed_at` is the close time of the last ledger that was read, in Unix seconds. `cursor` (a
    TOID) and `began` are None until an indexer has written. `last_reset` is the position of the
    last `journal.reset` event, which announces that Redis lost all data. `first` is the previous
    position in the very first entry of this journal. When `first` changes, only the journal was
    deleted, and written again. `server` is the replication id of the Redis whose history the
    indexer has accepted; each failover and restart of Redis makes a new id.
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
        self._reported = Reported()

    async def after(self, position: Position, limit: int = 500) -> Page:
        """The next page after `position`. The page ends before the first missing entry.

        A read from START reports a gap only if entries were trimmed. Events from before the start
        of the journal are no gap.
        """
        if position == END:  # Redis refuses a range that starts after the highest id
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
        end = parse_position(entries[whole - 1].position)
        return JournalPage(entries[:whole], whole < len(entries) or len(entries) == limit, end)

    def holes(self, entries: Sequence[JournalEntry]) -> Iterator[tuple[int, Position]]:
        """Find the places where entries are missing between these entries, oldest first.

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
        """At most `count` entries between two positions, both excluded. Check them with `holes`."""
        low, high, journal = f"({after}", f"({before}", self._keys.journal
        if newest_first:
            return _entries(await self._redis.xrevrange(journal, max=high, min=low, count=count))
        return _entries(await self._redis.xrange(journal, min=low, max=high, count=count))

    async def of_ledgers(self, first: int, last: int) -> list[JournalEntry]:
        """The entries of the ledgers `first` to `last`, oldest first."""
        at, end = Position(toid(first) - 1, END.n), Position(toid(last + 1), 0)
        entries: list[JournalEntry] = []
        while page := await self.between(at, end, _PAGE, newest_first=False):
            entries += page
            at = parse_position(page[-1].position)
        return entries

    async def at(self, positions: Sequence[Position]) -> list[JournalEntry | None]:
        """The entries at these positions, None for each that is not in the journal."""
        if not positions:
            return []
        pipe = self._redis.pipeline(transaction=False)
        for position in positions:
            pipe.xrange(self._keys.journal, str(position), str(position))
        return [entry_of(*rows[0]) if rows else None for rows in await pipe.execute()]

    async def oldest(self) -> JournalEntry | None:
        """The first entry that is still in the journal; None while the journal is empty."""
        rows = _entries(await self._redis.xrange(self._keys.journal, count=1))
        return rows[0] if rows else None

    async def start(self) -> Position:
        """The position after which the journal has entries: that of the last trimmed entry."""
        first = await self.oldest()
        return parse_position(first.previous) if first else (await self.tip()).top

    async def latest(self, limit: int) -> list[JournalEntry]:
        """The newest entries, oldest first.

        If entries are missing in between, only the entries after the last missing one.
        """
        rows = await self._redis.xrevrange(self._keys.journal, count=limit)
        entries = _entries(rows)[::-1]
        return entries[max((n for n, _ in self.holes(entries)), default=0) :]

    async def tip(self) -> JournalTip:
        """The journal's tip, in one round trip."""
        pipe = self._redis.pipeline(transaction=False)
        queue_tip(pipe, self._keys)
        return parse_tip(*await pipe.execute())

    async def _began(self) -> Position:
        return (await progress.read_progress(self._redis, self._keys)).began or START

    async def _count_unless_trimmed(self, entry: JournalEntry) -> None:
        """Count the missing entries before `entry`. If no older entry exists, they were trimmed."""
        oldest = await self.oldest()
        if oldest and parse_position(oldest.position) < parse_position(entry.position):
            self.count_missing(entry.previous)

    def count_missing(self, position: str) -> None:
        """Log and count, once, that entries up to this position are missing inside the journal."""
        if not self._reported.is_new(position):
            return
        LOST_ENTRY.inc()
        log.error("journal_entries_missing", up_to=position)


def queue_tip(pipe: Pipeline, keys: Keys) -> None:
    """Add the two reads of a tip to a pipeline. Then pass their replies to `parse_tip`.

    The progress is read first. So every event up to the cursor is at or below the tip's `top`.
    """
    progress.queue_read(pipe, keys)
    pipe.xrevrange(keys.journal, count=1)


def parse_tip(stored: Sequence[bytes | None], rows: Any) -> JournalTip:
    """The tip in the two replies to `queue_tip`."""
    read = progress.parse(stored)
    return JournalTip(
        top=parse_position(rows[0][0].decode()) if rows else read.began or START,
        ledger=read.ledger,
        closed_at=read.closed_at,
        cursor=read.cursor,
        began=read.began,
        last_reset=read.last_reset,
        empty=not rows,
        first=read.first,
        server=read.server,
    )


def _entries(rows: Any) -> list[JournalEntry]:
    """The entries in redis-py's rows: `Any`, as its types allow text but our replies are bytes."""
    return [entry_of(position, fields) for position, fields in rows]
