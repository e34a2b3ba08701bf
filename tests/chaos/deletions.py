"""Faults that delete data in Redis: all data, one key or one entry.

They record in `World.lost` which data is really lost.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import orjson
from redis.exceptions import RedisError

from shared.domain.position import START, parse_position
from shared.journal.wire import JournalEntry, entry_of
from tests.chaos.insist import insist
from tests.chaos.journals import RESET
from tests.chaos.losses import Loss
from tests.chaos.lost import LostJournal
from tests.chaos.redis_single import RedisSingle
from tests.chaos.world import KEYS, World
from tests.support.pace import last
from tests.support.waiting import until

_NEWEST = 30
"""The newest entries of the journal, which an indexer may read again."""

_SEEN = 2.0
"""Seconds within which a cursor that moved back is noticed."""

FLUSHED = "all of Redis deleted"
FLUSHED_LATE = "all of Redis deleted, replicas late"
EMPTY = "Redis restarts with an empty folder"

Fault = Callable[[], Awaitable[str]]
"""Injects one fault. Returns the name of the part that was hit."""


class DeletionFaults:
    """The faults that delete data."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self._world = world
        self._redis = world.redis
        self._rng = rng

    def all(self) -> dict[str, Fault]:
        """The faults by the name in the table."""
        one: dict[str, Fault] = {
            "progress deleted": self.progress,
            "document of a stream deleted": self.document,
            "epoch deleted": self.epoch,
            "entry of the journal deleted": self.entry,
        }
        faults: dict[str, Fault] = {name: partial(insist, act) for name, act in one.items()}
        faults[FLUSHED] = self.everything
        if isinstance(server := self._world.server, RedisSingle):
            faults[EMPTY] = lambda: self.folder(server)
        return faults

    # ── all data ──

    async def everything(self) -> str:
        """FLUSHALL, as by an operator's mistake."""
        await self._lose("FLUSHALL")
        await self._wait_for_reset()
        return "redis"

    async def folder(self, server: RedisSingle) -> str:
        """Delete the files of Redis, as when a volume is lost.

        Redis answers no call after its journal was read.
        """
        await self._lose("CLIENT", "PAUSE", 60_000, "ALL")
        await server.start_empty()
        await self._wait_for_reset()
        return "redis"

    async def _lose(self, *command: str | int) -> None:
        """Record the entries of the journal and run the command, in one transaction."""
        at = time.time()
        pipe = self._redis.pipeline(transaction=True)
        pipe.xrange(KEYS.journal)
        pipe.hget(KEYS.progress, "began")
        pipe.execute_command(*command)
        rows, began, _ = await pipe.execute()
        entries = [entry_of(*row) for row in rows]
        start = parse_position(began.decode()) if began else self._world.began
        self._world.lost.journals.append(LostJournal(at, start, entries))
        self._world.lost.rewound.append(Loss(at, time.time() + _SEEN))
        self._world.began = START

    async def _wait_for_reset(self) -> None:
        """Wait for `journal.reset`: a second loss before it is not tested."""
        with suppress(AssertionError):
            await until(self._has_reset, seconds=15)
        await last(1.0)

    async def _has_reset(self) -> bool:
        with suppress(RedisError, OSError):
            rows: Any = await self._redis.xrevrange(KEYS.journal, count=500)
            return any(entry_of(*row).type == RESET for row in rows)
        return False

    # ── one key or entry ──

    async def progress(self) -> str:
        """Delete the progress. The last ledger must be read again."""
        at = time.time()
        await self._world.where_it_began()
        await self._redis.delete(KEYS.progress)
        self._world.lost.rewound.append(Loss(at, time.time() + _SEEN))
        return "progress"

    async def epoch(self) -> str:
        """Delete the epoch. All clients must log in again."""
        await self._redis.delete(KEYS.epoch)
        return "epoch"

    async def document(self) -> str:
        """Delete the document of a stream. It must be rebuilt from the stream's events."""
        keys = sorted([key async for key in self._redis.scan_iter(f"{KEYS.stream('0')[:-1]}*")])
        if not keys:
            return "none"
        key = self._rng.choice(keys)
        await self._redis.delete(key)
        return str(key, "utf-8").rpartition(":")[2]

    async def entry(self) -> str:
        """Delete an entry inside the journal whose stream has later events."""
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
