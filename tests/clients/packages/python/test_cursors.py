"""Cursor stores, and a program that is killed: each event has its effect exactly once.

See docs/decisions/0107-python-client-reads-when-asked.md.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from headrace_client import CursorStore, FileCursor, RedisCursor
from redis.asyncio import Redis

from tests.clients.packages.python.conftest import Connect
from tests.fanout.replicas import Chain, Replica, StartReplica
from tests.support.tier import at_length
from tests.support.waiting import until

FOLDER = Path(__file__).parent
PACKAGE = FOLDER.parents[3] / "clients/python"


class MemoryCursor:
    """A store of the tests' own. `saved` has all positions, in order."""

    def __init__(self, *saved: str) -> None:
        self.saved = list(saved)

    async def load(self) -> str | None:
        return self.saved[-1] if self.saved else None

    async def save(self, position: str) -> None:
        self.saved.append(position)


async def test_the_cursor_is_saved_when_the_next_event_is_asked_for(
    start: StartReplica, connect: Connect, chain: Chain
) -> None:
    sent = await chain.commit_many(3)
    replica = await start()
    cursor = MemoryCursor()
    client = connect(replica.port)
    stream = client.events(all=True, since="0-0", cursor=cursor)
    handled: list[str] = []
    async for event in stream:
        assert cursor.saved == ["0-0", *handled]
        if len(handled) == 2:
            break  # as if the body had failed
        handled.append(event.id)
    assert cursor.saved == ["0-0", *sent[:2]]
    async with client.events(all=True, cursor=cursor) as again:
        assert (await anext(again)).id == sent[2]
        await again.save()
    assert cursor.saved[-1] == sent[2]
    await stream.aclose()


async def test_a_program_that_starts_now_has_a_cursor_before_its_first_event(
    start: StartReplica, connect: Connect, chain: Chain
) -> None:
    (position,) = await chain.commit()
    replica = await start(sync_seconds=600)
    await replica.at(position)
    cursor, client = MemoryCursor(), connect(replica.port)
    waiting = asyncio.ensure_future(anext(client.events(all=True, cursor=cursor)))
    await until(lambda: cursor.saved == [position], what="the first position")
    waiting.cancel()
    sent = await chain.commit_many(2)
    stream = client.events(all=True, cursor=cursor)
    assert [(await anext(stream)).id for _ in sent] == sent


async def test_a_cancelled_wait_loses_nothing(
    start: StartReplica, connect: Connect, chain: Chain
) -> None:
    sent = await chain.commit_many(50)
    replica = await start(retry_ms=100)
    stream = connect(replica.port).events(all=True, since="0-0")
    ids: list[str] = []
    while len(ids) < len(sent):
        try:
            async with asyncio.timeout(random.choice([0, 0.001, 0.01])):
                ids.append((await anext(stream)).id)
        except TimeoutError:
            continue
    assert ids == sent


@asynccontextmanager
async def stores(kind: str, redis: Redis, folder: Path) -> AsyncIterator[CursorStore]:
    if kind == "file":
        yield FileCursor(folder / "cursor")
    elif kind == "file, not durable":
        yield FileCursor(str(folder / "cursor"), durable=False)
    else:
        yield RedisCursor(redis, f"test-cursor-{random.random()}")


@pytest.mark.parametrize("kind", ["file", "file, not durable", "redis"])
async def test_a_store_keeps_the_last_position(kind: str, redis: Redis, tmp_path: Path) -> None:
    async with stores(kind, redis, tmp_path) as store:
        assert await store.load() is None
        for position in ("5-1", "6-1790000000000000", "7-0"):
            await store.save(position)
            assert await store.load() == position
    assert set(os.listdir(tmp_path)) <= {"cursor"}  # noqa: PTH208 - names only


async def test_a_broken_file_is_an_error(
    start: StartReplica, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "cursor").write_text("not a position\n")
    replica = await start()
    with pytest.raises(ValueError, match="'not a position' is not a position"):
        await anext(connect(replica.port).events(all=True, cursor=FileCursor(tmp_path / "cursor")))


class Consumer:
    """Runs consumer.py, and looks into its database."""

    def __init__(
        self, replica: Replica, folder: Path, python: Sequence[str], **environment: str
    ) -> None:
        self._database = folder / "effects.db"
        script = (folder / "consumer.py").resolve()
        script.write_text((FOLDER / "consumer.py").read_text())
        url = f"http://127.0.0.1:{replica.port}"
        self._command = [*python, str(script), url, str(self._database)]
        self._environment = os.environ | environment
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self._command, cwd=self._folder, env=self._environment
        )

    async def kill(self) -> None:
        """SIGKILL."""
        assert self._process
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    def effects(self) -> list[str]:
        """The ids of the events that had an effect, in order."""
        if not self._database.exists():
            return []
        with closing(sqlite3.connect(self._database, timeout=30)) as database:
            try:
                return [row[0] for row in database.execute("SELECT event FROM effects")]
            except sqlite3.OperationalError:  # no table yet
                return []

    async def until(self, count: int) -> None:
        def enough() -> bool:
            assert self._process
            assert self._process.returncode is None, "the consumer has ended"
            return len(self.effects()) >= count

        await until(enough, what=f"{count} effects")


async def check_exactly_once(consumer: Consumer, chain: Chain, kills: int, seed: int = 7) -> None:
    """Kill the consumer at random moments while events are committed."""
    chance = random.Random(seed)
    sent = await chain.commit_many(100)
    try:
        for _ in range(kills):
            await consumer.start()
            sent += await chain.commit_many(100)
            await consumer.until(
                min(len(sent) - 50, len(consumer.effects()) + chance.randint(1, 150))
            )
            await consumer.kill()
        await consumer.start()
        await consumer.until(len(sent))
    finally:
        await consumer.kill()
    assert consumer.effects() == sent


@pytest.mark.timeout(180)
async def test_a_program_that_is_killed_handles_each_event_exactly_once(
    start: StartReplica, chain: Chain, tmp_path: Path
) -> None:
    replica = await start()
    path = os.pathsep.join([str(PACKAGE), os.environ.get("PYTHONPATH", "")])
    consumer = Consumer(replica, tmp_path, [sys.executable], PYTHONPATH=path)
    await check_exactly_once(consumer, chain, kills=at_length(4, 40))
