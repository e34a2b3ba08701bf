"""The archive has every entry of the journal once and in order, whatever happens meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.asyncio import Redis

from services.archiver import archiving as module
from services.archiver import metrics
from services.archiver.errors import ForeignArchiveError
from shared.archive.mark import read_mark
from shared.journal.keys import Keys
from shared.journal.reader import Journal
from tests.archiver.archives import (
    SEED,
    ChainCommits,
    archive,
    archived,
    archiving_in,
    at_work,
    catalog_of,
    create_stream,
    empty,
    store_in,
    three_segments,
)
from tests.support.waiting import until


async def test_events_are_archived_in_time_and_the_mark_follows(
    redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    store = store_in(tmp_path, keys)
    async with at_work(archiving_in(redis, keys, store, seconds=0.05)):
        mark = await read_mark(redis, keys)
        assert mark
        assert str(mark.position) == "0-0", "nothing may be trimmed before it is archived"
        commits = ChainCommits(redis, keys)
        (*_, last) = await commits.commit(3)

        async def is_marked() -> bool:
            found = await read_mark(redis, keys)
            return found is not None and found.position == last

        await until(is_marked)
    assert await archived(store) == await Journal(redis, keys).latest(100)
    assert metrics.LEDGER._value.get() == last.ledger == 3
    await commits.commit()
    (*_, newest) = (await archive(redis, keys, tmp_path)).manifests
    assert newest.progress["ledger"] == "4"
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
        await until(lambda: archiving.oldest, what="the rest in the buffer")
    manifests = (await catalog_of(store)).manifests
    assert not manifests[0].progress, "the journal goes on, so the cursor is above this segment"


async def test_manifests_are_signed(redis: Redis, keys: Keys, tmp_path: Path) -> None:
    await ChainCommits(redis, keys).commit()
    (manifest,) = (await archive(redis, keys, tmp_path, seed=SEED)).manifests
    assert manifest.signature


async def test_the_next_archiver_continues_where_the_last_one_stopped(
    redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    commits = ChainCommits(redis, keys)
    catalog = await three_segments(commits, tmp_path, ledgers=2)
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
