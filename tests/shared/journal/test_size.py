"""The size of the journal as metrics."""

from __future__ import annotations

import asyncio

from prometheus_client import REGISTRY
from redis.asyncio import Redis

from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.plan import Retention
from shared.journal.size import JournalSize, read_size, watch_size
from shared.runtime.tasks import cancel
from tests.shared.samples import at, created
from tests.support.waiting import until


async def fill(redis: Redis, keys: Keys, first: int, last: int, *, most: int = 10**9) -> None:
    committer = Committer(redis, keys, retention=Retention(max_bytes=most))
    await committer.record([created(str(n), at(n)) for n in range(first, last + 1)], progress={})


async def test_size_and_growth_follow_commits_and_trims(redis: Redis, keys: Keys) -> None:
    assert await read_size(redis, keys) == JournalSize(0, 0)
    await fill(redis, keys, 1, 100)
    size = await read_size(redis, keys)
    assert 0.9 * size.written < size.bytes < size.written, "all but the first entry"

    await fill(redis, keys, 101, 101, most=size.bytes // 2)
    trimmed = await read_size(redis, keys)
    assert trimmed.bytes < 0.6 * size.bytes
    assert trimmed.written > size.written, "it only grows, so its rate is the growth"


async def test_an_entry_of_an_older_version_has_no_sum(redis: Redis, keys: Keys) -> None:
    await redis.xadd(keys.journal, {"h": "x", "p": "0-0", "b": "{}"}, "1-1")
    assert await read_size(redis, keys) == JournalSize(0, 0)


async def test_the_metrics_are_set(redis: Redis, keys: Keys) -> None:
    await fill(redis, keys, 1, 3)
    task = asyncio.create_task(watch_size(redis, keys))
    size = await read_size(redis, keys)
    await until(lambda: REGISTRY.get_sample_value("headrace_journal_written_bytes") == size.written)
    assert REGISTRY.get_sample_value("headrace_journal_bytes") == size.bytes
    await cancel(task)
