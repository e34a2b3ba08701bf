"""Restore: how long the command takes to fill an empty Redis, as an operator would wait for it.

The archive has the creations of all streams, and then copies of events of a part of them.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import chain, islice

from redis.asyncio import Redis

from shared.archive.catalog import Catalog
from shared.archive.store import ArchiveStore
from shared.archive.writer import append
from shared.journal import indexes
from shared.journal.wire import JournalEntry
from tests.bench.archive import DIFFERENT, SEGMENT, copies
from tests.bench.environment import BenchEnvironment
from tests.bench.publish import CONTRACT
from tests.bench.rows import Row, row
from tests.shared.archive.entries import EntrySource

_EVENTS, _STREAMS, _ACCOUNTS = 1_000_000, 100_000, 20_000
_PROGRESS = {"began": "0-0"}


async def restore(env: BenchEnvironment) -> list[Row]:
    """Restore a million events and 100,000 streams. Every run begins with an empty Redis."""
    url = f"file://{env.folder}/archive"
    await _archive(url, env.keys.namespace)
    seconds, work = [], []
    async with Redis.from_url(env.redis_url) as redis:
        for _ in range(min(env.runs, 3)):
            await redis.flushall()
            began, before = time.monotonic(), await _cpu(redis)
            await asyncio.to_thread(_restore, env, url)
            seconds.append(time.monotonic() - began)
            work.append(await _cpu(redis) - before)
        events = await redis.xlen(env.keys.journal)
        streams = await redis.zcard(env.keys.index(indexes.EVERYTHING))
    return [
        row("seconds", "restore of an empty Redis, until the command ends", "s", seconds, 120),
        row("cpu", "… CPU time of the command and of Redis", "s", work),
        row("events", "… events in the journal", "", [events]),
        row("streams", "… streams", "", [streams]),
    ]


async def _cpu(redis: Redis) -> float:
    """CPU seconds of all commands that have ended, and of Redis."""
    info = await redis.info("cpu")
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    of_redis = float(info["used_cpu_user"]) + float(info["used_cpu_sys"])
    return of_redis + ended.ru_utime + ended.ru_stime


async def _archive(url: str, namespace: str) -> None:
    catalog = Catalog(ArchiveStore(url, namespace, makes_folder=True))
    entries = _entries()
    while segment := list(islice(entries, SEGMENT)):
        await append(catalog, segment, progress=_PROGRESS, owner={})


def _entries() -> Iterator[JournalEntry]:
    source = EntrySource(_STREAMS, _ACCOUNTS)
    yield from chain.from_iterable(source.pages(_STREAMS, DIFFERENT))
    copied = copies(source.take(DIFFERENT))
    yield from islice(chain.from_iterable(copied), _EVENTS - _STREAMS)


def _restore(env: BenchEnvironment, url: str) -> None:
    """Run the command. The journal has room for all events."""
    own = {
        "REDIS_URL": env.redis_url,
        "NAMESPACE": env.keys.namespace,
        "CONTRACT_IDS": CONTRACT,
        "ARCHIVE_URL": url,
        "JOURNAL_MAX_LENGTH": str(_EVENTS),
        "JOURNAL_MAX_BYTES": str(8 << 30),
    }
    command = [sys.executable, "-m", "services.archiver", "restore"]
    subprocess.run(command, env={**os.environ, **own}, check=True, capture_output=True)
