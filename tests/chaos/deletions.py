"""What Redis can lose, each as an act as in faults: everything, or a key or an entry alone.

What is gone for good is noted in `World.lost`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import orjson
from redis.exceptions import RedisError

from shared.domain.position import START, parse_position
from shared.journal.wire import JournalEntry, entry_of
from tests.chaos.journals import RESET
from tests.chaos.losses import Loss
from tests.chaos.lost import LostJournal
from tests.chaos.redis_single import RedisSingle
from tests.chaos.world import KEYS, World
from tests.support.pace import last
from tests.support.waiting import until

_NEWEST = 30
"""Entries that the last commits have made, and that an indexer may read again."""

_SEEN = 2.0
"""Seconds within which a cursor that moved back was seen."""

FLUSHED = "all of Redis deleted"
EMPTY = "Redis restarts with an empty folder"


class DeletionFaults:
    """The acts on one Redis."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self._world = world
        self._redis = world.redis
        self._rng = rng

    def all(self) -> dict[str, Callable[[], Awaitable[str]]]:
        """Each by its name in the table; it answers whom it struck."""
        faults: dict[str, Callable[[], Awaitable[str]]] = {
            "progress deleted": self.progress,
            "document of a stream deleted": self.document,
            "epoch deleted": self.epoch,
            "entry of the journal deleted": self.entry,
        }
        if isinstance(server := self._world.server, RedisSingle):
            faults[FLUSHED] = self.everything
            faults[EMPTY] = lambda: self.folder(server)
        return faults

    # ── everything ──

    async def everything(self) -> str:
        """FLUSHALL, as by an operator's mistake."""
        await self._lose("FLUSHALL")
        await self._told()
        return "redis"

    async def folder(self, server: RedisSingle) -> str:
        """As when the volume was lost. It answers nobody from when its journal was looked at."""
        await self._lose("CLIENT", "PAUSE", 60_000, "ALL")
        await server.start_empty()
        await self._told()
        return "redis"

    async def _lose(self, *command: str | int) -> None:
        """Note what the journal holds, and do this in the same transaction."""
        at = time.time()
        pipe = self._redis.pipeline(transaction=True)
        pipe.xrange(KEYS.journal)
        pipe.hget(KEYS.progress, "began")
        pipe.execute_command(*command)
        rows, began, _ = await pipe.execute()
        entries = [entry_of(*row) for row in rows]
        place = parse_position(began.decode()) if began else self._world.began
        self._world.lost.journals.append(LostJournal(at, place, entries))
        self._world.lost.rewound.append(Loss(at, time.time() + _SEEN))
        self._world.began = START

    async def _told(self) -> None:
        """Another loss before everyone was told of this one is not what is looked for."""
        with suppress(AssertionError):
            await until(self._has_reset, seconds=15)
        await last(1.0)

    async def _has_reset(self) -> bool:
        with suppress(RedisError, OSError):
            rows: Any = await self._redis.xrevrange(KEYS.journal, count=500)
            return any(entry_of(*row).type == RESET for row in rows)
        return False

    # ── one thing alone ──

    async def progress(self) -> str:
        """The last ledger has to be read again."""
        at = time.time()
        await self._world.where_it_began()
        await self._redis.delete(KEYS.progress)
        self._world.lost.rewound.append(Loss(at, time.time() + _SEEN))
        return "progress"

    async def epoch(self) -> str:
        """Everybody has to log in again."""
        await self._redis.delete(KEYS.epoch)
        return "epoch"

    async def document(self) -> str:
        """Its events tell what it was."""
        keys = sorted([key async for key in self._redis.scan_iter(f"{KEYS.stream('0')[:-1]}*")])
        if not keys:
            return "none"
        key = self._rng.choice(keys)
        await self._redis.delete(key)
        return str(key, "utf-8").rpartition(":")[2]

    async def entry(self) -> str:
        """One inside, whose stream goes on after it."""
        rows: Any = await self._redis.xrange(KEYS.journal)
        entries = [entry_of(*row) for row in rows]
        last = {_stream(each): each.position for each in entries}
        inner = [each for each in entries[1:-_NEWEST] if last[_stream(each)] != each.position]
        if not inner:
            return "none"
        entry = self._rng.choice(inner)
        await self._redis.xdel(KEYS.journal, entry.position)
        self._world.lost.entries.append(entry)
        return entry.position


def _stream(entry: JournalEntry) -> str | None:
    found: str | None = orjson.loads(entry.body)["streamId"]
    return found
