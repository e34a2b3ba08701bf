"""Faults of the archive, and the loss of all of Redis with a restore from the archive."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

from redis.exceptions import RedisError

from shared.domain.position import parse_position
from tests.chaos.archive import ARCHIVERS
from tests.chaos.insist import insist
from tests.chaos.losses import Loss
from tests.chaos.world import APIS, INDEXERS, KEYS, World
from tests.support.pace import last
from tests.support.waiting import until

RESTORED = "all of Redis deleted, and restored"
AWAY = "archive away"
READ_ONLY = "archive read-only"
_SEEN = 2.0
"""Seconds within which a cursor that moved back is noticed."""


class RestoreFailedError(Exception):
    """The command `restore` failed. The message is what it printed."""


async def archiver_command(world: World, command: str) -> tuple[int | None, str]:
    """Run a command of the archiver, as the Redis user of the indexer. Its code and output."""
    environment = world.environment(ARCHIVERS[0])
    environment |= {"REDIS_URL": world.server.url_for(INDEXERS[0])}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.archiver", command),
        env=os.environ | {name: str(value) for name, value in environment.items()},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode, output.decode()


class ArchiveFaults:
    """The faults."""

    def __init__(self, world: World, rng: random.Random) -> None:
        assert world.archive
        self._world = world
        self._archive = world.archive
        self._rng = rng
        self._one_at_a_time = asyncio.Lock()

    def all(self) -> dict[str, Callable[[], Awaitable[str]]]:
        """The faults by the name in the table. Each returns the name of the part that was hit."""
        return {
            "SIGKILL of the active archiver": lambda: self._end(signal.SIGKILL),
            "SIGTERM of an archiver": lambda: self._end(signal.SIGTERM),
            "archiver asleep": self.sleep,
            "two archivers active": partial(insist, self.two_active),
            AWAY: self.away,
            READ_ONLY: self.read_only,
            RESTORED: self.restore,
        }

    async def _active(self) -> str | None:
        """The archiver that holds the lease; None if it is not known."""
        with suppress(RedisError):
            stored: Any = await self._world.redis.get(KEYS.archiver_lease)
            holder = str(stored or b"", "ascii")
            for name in ARCHIVERS:
                process = self._world.running.get(name)
                if process and any(e["token"] == holder for e in process.log_lines("active")):
                    return name
        return None

    async def _end(self, number: int) -> str:
        active = await self._active()
        running = [name for name in ARCHIVERS if name in self._world.running]
        if not running:
            return ""
        name = active if active in running else self._rng.choice(running)
        await self._world.stop(name, number)
        self._world.restart_soon(name)
        return name

    async def sleep(self) -> str:
        """Stop the active archiver for longer than its lease. Then it goes on where it was."""
        name = await self._active()
        if name and (process := self._world.running.get(name)):
            process.signal(signal.SIGSTOP)
            await last(self._rng.uniform(1.5, 4.0))
            with suppress(ProcessLookupError):  # another fault has ended the process
                process.signal(signal.SIGCONT)
        return name or ""

    async def two_active(self) -> str:
        """Delete the lease several times, so that the standby begins while the other one writes."""
        for _ in range(4):
            await self._world.redis.delete(KEYS.archiver_lease)
            await last(self._rng.uniform(0.2, 0.6))
        return "archivers"

    async def away(self) -> str:
        """No object can be read or written for a while: the folder is gone, or the server."""
        async with self._one_at_a_time:
            for proxy in self._archive.proxies.values():
                proxy.refusing = True
                proxy.cut()
            folder = self._archive.folder
            aside = folder.with_name("archive.aside") if folder else None
            if folder and aside and folder.exists():
                folder.rename(aside)
                folder.touch()  # so that nobody makes a new folder
            await last(self._rng.uniform(1.0, 4.0))
            if folder and aside and aside.exists():
                folder.unlink()
                aside.rename(folder)
            for proxy in self._archive.proxies.values():
                proxy.refusing = False
        return "archive"

    async def read_only(self) -> str:
        """All objects can be read, but none can be written, often until the lease is given up."""
        async with self._one_at_a_time:
            self._archive.set_read_only(True)
            try:
                await last(self._rng.uniform(2.0, 8.0))
            finally:
                self._archive.set_read_only(False)
        return "archive"

    # ── all data ──

    async def restore(self) -> str:
        """FLUSHALL after all was archived, and a restore. Nothing may be lost."""
        world = self._world
        await world.restarted()
        await self._stop(APIS)
        await self._stop(INDEXERS)
        await until(self._all_archived, seconds=30, what="everything is archived")
        await self._stop(ARCHIVERS)
        at = time.time()
        await world.redis.flushall()
        code, output = await archiver_command(world, "restore")
        if code:
            raise RestoreFailedError(output)
        world.lost.rewound.append(Loss(at, time.time() + _SEEN))
        await asyncio.gather(*map(world.start, (*INDEXERS, *APIS, *ARCHIVERS)))
        return "redis"

    async def _stop(self, names: tuple[str, ...]) -> None:
        running = [name for name in names if name in self._world.running]
        await asyncio.gather(*(self._world.stop(name, signal.SIGTERM) for name in running))

    async def _all_archived(self) -> bool:
        rows: Any = await self._world.redis.xrevrange(KEYS.journal, count=1)
        mark: Any = await self._world.redis.hget(KEYS.archive, "position")
        if not (rows and mark):
            return False
        return parse_position(mark.decode()) >= parse_position(rows[0][0].decode())
