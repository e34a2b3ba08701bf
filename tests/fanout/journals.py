"""Starts a journal, reads all of it, and restores an older state of Redis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from redis.asyncio import Redis

from shared.domain.events import Event, EventType
from shared.domain.position import Position, journal_start, parse_position
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.wire import JournalEntry, entry_of


async def journal(redis: Redis, keys: Keys) -> list[JournalEntry]:
    """All entries of the journal."""
    rows: Any = await redis.xrange(keys.journal)
    return [entry_of(entry_id, fields) for entry_id, fields in rows]


def after(entries: Iterable[JournalEntry], position: str) -> list[JournalEntry]:
    """The entries after a position."""
    return [e for e in entries if parse_position(e.position) > parse_position(position)]


def for_topics(entries: Iterable[JournalEntry], topics: Sequence[str]) -> list[str]:
    """The positions of the entries for these topics, by a simple filter."""
    return [
        e.position
        for e in entries
        if not e.topics or "*" in topics or any(t in topics for t in e.topics)
    ]


async def snapshot(redis: Redis, keys: Keys) -> dict[bytes, bytes]:
    """All keys of the namespace with their values, for `restore`."""
    names = [name async for name in redis.scan_iter(f"headrace:{{{keys.namespace}}}:*", count=1000)]
    return {name: await redis.dump(name) or b"" for name in names}


async def restore(redis: Redis, keys: Keys, saved: dict[bytes, bytes]) -> None:
    """Replace all keys of the namespace in one transaction, like a failover that lost writes."""
    names = [name async for name in redis.scan_iter(f"headrace:{{{keys.namespace}}}:*", count=1000)]
    pipe = redis.pipeline(transaction=True)
    for name in names:
        pipe.delete(name)
    for name, dump in saved.items():
        pipe.restore(name, 0, dump)
    await pipe.execute()


async def begin(committer: Committer, cursor: int, clock: int) -> Position:
    """Start a journal as the indexer does, and return its start. `clock` is in microseconds."""
    began = journal_start(cursor, clock << 40)
    await committer.record([], progress={"cursor": str(cursor), "began": str(began)})
    return began


async def announce_loss(committer: Committer, cursor: int, clock: int) -> Position:
    """Commit `journal.reset` as the indexer does when it has read again up to `cursor`.

    `clock` is as in `begin`. Returns the position of the event.
    """
    position = journal_start(cursor, clock << 40)
    facts = {"position": str(position), "reason": "lost"}
    reset = Event(EventType.JOURNAL_RESET, None, 100, facts, position)
    await committer.record([reset], progress={"told": str(position)})
    return position
