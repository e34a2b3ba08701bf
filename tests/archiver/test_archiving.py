"""The archive has every entry of the journal once and in order, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from services.archiver import archiving as module
from services.archiver import metrics
from services.archiver.archiving import Archiving
from services.archiver.errors import ForeignArchiveError
from services.archiver.merging import merge
from shared.archive.errors import ArchiveUnavailableError
from shared.archive.manifest import Manifest
from shared.archive.mark import read_mark
from shared.archive.store import ArchiveStore
from shared.journal.keys import Keys
from shared.journal.reader import Journal
from tests.archiver.archives import (
    SEED,
    ChainCommits,
    archive,
    archived,
    archiving_in,
    catalog_of,
    create_stream,
    empty,
    stop,
    store_in,
)
from tests.archiver.faulty_store import FaultyStore
from tests.support.tier import at_length
from tests.support.waiting import until


@asynccontextmanager
async def at_work(archiving: Archiving) -> AsyncIterator[None]:
    """Run an archiving, and cancel it at the end."""
    await archiving.start()
    task = asyncio.create_task(archiving.run())
    try:
        yield
    finally:
        await stop(task)


async def test_events_are_archived_in_time_and_the_mark_follows(
    redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    store = store_in(tmp_path, keys)
    async with at_work(archiving_in(redis, keys, store, seconds=0.05)):
        mark = await read_mark(redis, keys)
        assert mark
        assert str(mark.position) == "0-0", "nothing may be trimmed before it is archived"
        (*_, last) = await ChainCommits(redis, keys).commit(3)

        async def is_marked() -> bool:
            found = await read_mark(redis, keys)
            return found is not None and found.position == last

        await until(is_marked)
    assert await archived(store) == await Journal(redis, keys).latest(100)
    (*_, newest) = (await catalog_of(store)).manifests
    assert newest.progress["ledger"] == "3"
    assert newest.owner["network"] == "Test SDF Network ; September 2015"


async def test_a_full_segment_is_written_at_once(
    redis: Redis, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGE", 50)
    await ChainCommits(redis, keys).commit(60)
    store = store_in(tmp_path, keys)
    archiving = archiving_in(redis, keys, store, seconds=300.0, segment_bytes=9_000)

    async def written() -> int:
        return len((await catalog_of(store)).manifests)

    async with at_work(archiving):
        await until(written)
    manifests = (await catalog_of(store)).manifests
    assert not manifests[0].progress, "the journal goes on, so the cursor is above this segment"
    assert archiving.oldest


async def test_manifests_are_signed(redis: Redis, keys: Keys, tmp_path: Path) -> None:
    await ChainCommits(redis, keys).commit()
    (manifest,) = (await archive(redis, keys, tmp_path, seed=SEED)).manifests
    assert manifest.signature


async def test_the_next_archiver_continues_where_the_last_one_stopped(
    redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    commits = ChainCommits(redis, keys)
    for _ in range(3):
        await commits.commit(2)
        catalog = await archive(redis, keys, tmp_path)
    assert len(catalog.manifests) == 3
    assert await archived(catalog.store) == await Journal(redis, keys).latest(100)


async def test_of_two_archivers_the_slower_one_continues_after_the_faster_one(
    redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    commits, store = ChainCommits(redis, keys), store_in(tmp_path, keys)
    slow, fast = (archiving_in(redis, keys, store) for _ in range(2))
    for each in (slow, fast):
        await each.start()
    await commits.commit(2)
    await fast.archive_all()
    await commits.commit(1)
    await slow.archive_all()  # with the same two ledgers, and one more
    await slow.archive_all()
    await commits.commit(1)
    await slow.archive_all()
    assert await archived(store) == await Journal(redis, keys).latest(100)
    assert len((await catalog_of(store)).manifests) == 3


async def test_a_gap_remains_where_the_journal_was_trimmed(
    redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    commits = ChainCommits(redis, keys)
    first = await commits.commit(2)
    await archive(redis, keys, tmp_path)
    lost, kept = await commits.commit(2), await commits.commit(2)
    await redis.xdel(keys.journal, *map(str, [*first, *lost]))
    metrics.ALARM.labels("gap").set(0)
    one, other = (await archive(redis, keys, tmp_path)).manifests
    assert (one.last, other.before, other.last) == (first[-1], lost[-1], kept[-1])
    assert other.chain_before == one.chain, "the chain goes on"
    assert metrics.ALARM.labels("gap")._value.get() == 1


async def test_an_archive_may_begin_in_the_middle(redis: Redis, keys: Keys, tmp_path: Path) -> None:
    commits = ChainCommits(redis, keys)
    await redis.xdel(keys.journal, *map(str, trimmed := await commits.commit(2)))
    await commits.commit()
    metrics.ALARM.labels("gap").set(0)
    (manifest,) = (await archive(redis, keys, tmp_path)).manifests
    assert manifest.before == trimmed[-1]
    assert metrics.ALARM.labels("gap")._value.get() == 0


async def test_what_redis_loses_stays_archived_and_nothing_is_archived_twice(
    redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    commits = ChainCommits(redis, keys)
    await commits.commit(3)
    lost = await create_stream(redis, keys, "1")
    await archive(redis, keys, tmp_path)
    before = await archived(store_in(tmp_path, keys))
    await empty(redis, keys)
    again = ChainCommits(redis, keys)
    await again.commit(3)
    assert len((await archive(redis, keys, tmp_path)).manifests) == 1, "the journal is behind"
    await again.commit(2)
    await archive(redis, keys, tmp_path)
    after = await archived(store_in(tmp_path, keys))
    assert after[: len(before)] == before
    assert before[-1].position == lost
    new = [each.position for each in await Journal(redis, keys).latest(4)][1:]
    assert [each.position for each in after[len(before) :]][1:] == new


async def test_the_archive_of_another_network_is_refused(
    redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    commits = ChainCommits(redis, keys)
    await commits.commit()
    await archive(redis, keys, tmp_path)
    await redis.hset(keys.namespace_owner, "network", "another")
    with pytest.raises(ForeignArchiveError, match="another"):
        await archive(redis, keys, tmp_path)


@pytest.mark.parametrize("seed", range(at_length(2, 20)))
async def test_two_archivers_that_are_killed_and_a_store_that_fails(
    redis: Redis, keys: Keys, tmp_path: Path, seed: int
) -> None:
    chance, commits = random.Random(seed), ChainCommits(redis, keys)
    running: list[asyncio.Task[None]] = []

    async def begin(number: int) -> None:
        store = FaultyStore(tmp_path.as_uri(), keys.namespace, seed=number, rate=0.2)
        store.seconds = 0.01
        archiving = archiving_in(redis, keys, store, seconds=0.01)
        await archiving.start()
        await archiving.run()

    for n in range(12):
        running.append(asyncio.create_task(begin(seed * 100 + n)))
        await commits.commit(chance.randrange(3))
        await create_stream(redis, keys, str(n))
        await asyncio.sleep(chance.random() / 20)
        if len(running) > 1:
            await stop(running.pop(chance.randrange(2)))
    await stop(*running)
    await archive(redis, keys, tmp_path)
    assert await archived(store_in(tmp_path, keys)) == await Journal(redis, keys).latest(1000)


async def test_an_archiver_that_dies_in_the_middle_of_a_merge(
    redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    commits = ChainCommits(redis, keys)
    for _ in range(3):
        await commits.commit()
        catalog = await archive(redis, keys, tmp_path)
    files = 3  # of a merge: the segment, its index, its manifest
    for survived in range(files):
        dying = FaultyStore(tmp_path.as_uri(), keys.namespace)
        writes: list[str] = []

        def die(path: str, writes: list[str] = writes, most: int = survived) -> None:
            if len(writes) == most:
                raise ArchiveUnavailableError("killed")
            writes.append(path)

        dying.on_write = die
        manifests = (await catalog_of(dying)).manifests
        with pytest.raises(ArchiveUnavailableError):
            await _merge(dying, manifests)
        assert await archived(store_in(tmp_path, keys)) == await Journal(redis, keys).latest(100)
    merged = await _merge(catalog.store, (await catalog_of(catalog.store)).manifests)
    assert (await catalog_of(catalog.store)).manifests == [merged]
    assert await archived(store_in(tmp_path, keys)) == await Journal(redis, keys).latest(100)


async def _merge(store: ArchiveStore, manifests: Sequence[Manifest]) -> Manifest:
    return await merge(await catalog_of(store), manifests, seed=None)


async def test_the_alarm_and_the_events_while_the_store_is_away(
    redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    store = FaultyStore(tmp_path.as_uri(), keys.namespace)
    commits = ChainCommits(redis, keys)
    alarm = metrics.ALARM.labels("store")
    async with at_work(archiving_in(redis, keys, store, seconds=0.01)):
        store.rate = 1.0
        await commits.commit(2)
        await until(lambda: alarm._value.get() == 1)
        await commits.commit(2)
        assert not (await catalog_of(store_in(tmp_path, keys))).manifests
        store.rate = 0.0

        async def is_complete() -> bool:
            mark = await read_mark(redis, keys)
            journal = await Journal(redis, keys).latest(1)
            return mark is not None and str(mark.position) == journal[0].position

        await until(is_complete)
        assert alarm._value.get() == 0
    assert await archived(store_in(tmp_path, keys)) == await Journal(redis, keys).latest(100)
