"""Archivers that die and a store that fails: the archive stays whole, with nothing twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from redis.asyncio import Redis

from services.archiver import metrics
from services.archiver.merging import merge
from shared.archive.errors import ArchiveUnavailableError
from shared.archive.manifest import Manifest
from shared.archive.mark import read_mark
from shared.archive.store import ArchiveStore
from shared.journal.keys import Keys
from shared.journal.reader import Journal
from tests.archiver.archives import (
    ChainCommits,
    archive,
    archived,
    archiving_in,
    at_work,
    catalog_of,
    create_stream,
    stop,
    store_in,
    three_segments,
)
from tests.archiver.faulty_store import FaultyStore
from tests.support.pace import last
from tests.support.tier import at_length
from tests.support.waiting import until


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
        await last(chance.random() / 20)
        if len(running) > 1:
            await stop(running.pop(chance.randrange(2)))
    await stop(*running)
    await archive(redis, keys, tmp_path)
    assert await archived(store_in(tmp_path, keys)) == await Journal(redis, keys).latest(1000)


async def test_an_archiver_that_dies_in_the_middle_of_a_merge(
    redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    commits = ChainCommits(redis, keys)
    catalog = await three_segments(commits, tmp_path)
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


async def test_a_disk_that_is_not_mounted_takes_no_segment(
    redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    disk, away, commits = tmp_path / "disk", tmp_path / "away", ChainCommits(redis, keys)
    alarm = metrics.ALARM.labels("store")

    async def is_complete() -> bool:
        return await archived(store_in(disk, keys)) == await Journal(redis, keys).latest(100)

    disk.mkdir()
    async with at_work(archiving_in(redis, keys, store_in(disk, keys), seconds=0.01)):
        await commits.commit()
        await until(is_complete)
        await until(lambda: any(disk.rglob("progress.json")), what="the last write of a quiet time")
        disk.rename(away)
        await commits.commit()
        await until(lambda: alarm._value.get() == 1)
        assert not disk.exists(), "what is written here, is below the disk that comes back"
    disk.mkdir()
    alarm.set(0)
    starting = archiving_in(redis, keys, store_in(disk, keys))
    task = asyncio.create_task(starting.start())
    await until(lambda: alarm._value.get() == 1)
    await stop(task)
    assert not list(disk.rglob("*.json")), "the mark says that the archive has events"
    disk.rmdir()
    away.rename(disk)
    async with at_work(archiving_in(redis, keys, store_in(disk, keys), seconds=0.01)):
        await until(is_complete)
