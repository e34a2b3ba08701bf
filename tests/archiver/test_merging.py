"""Small segments become one for each day; nothing is deleted too early; old days expire."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from redis.asyncio import Redis

from services.archiver.housekeeping import Housekeeping
from services.archiver.merging import DAY, MOST_BYTES, merge, runs_to_merge
from services.archiver.retention import expired
from services.archiver.sweeping import GRACE_SECONDS, Sweeping
from shared.archive.catalog import manifest_path
from shared.archive.errors import DamagedArchiveError
from shared.archive.manifest import Manifest
from shared.domain.position import Position
from shared.journal.keys import Keys
from shared.journal.reader import Journal
from tests.archiver.archives import (
    SEED,
    ChainCommits,
    archive,
    archived,
    archiving_in,
    catalog_of,
    store_in,
    three_segments,
)

KB, MB = 1 << 10, 1 << 20


def segment(n: int, day: int, size: int = 10 * KB, *, before: int | None = None) -> Manifest:
    """The manifest of segment number `n`, which has one event at noon."""
    noon, last = day * DAY + DAY // 2, Position(n, 0)
    return Manifest(
        before=Position(n - 1 if before is None else before, 0),
        first=last,
        last=last,
        count=1,
        size=size,
        file=f"segments/{n}",
        sha256="",
        index=f"segments/{n}.index",
        index_sha256="",
        index_size=1,
        chain_before="",
        chain="",
        first_published=noon,
        last_published=noon,
        first_ledger=None,
        last_ledger=None,
        topics=b"",
    )


def numbers(runs: object) -> list[list[int]]:
    return [[each.last.toid for each in run] for run in runs]  # type: ignore[attr-defined]


def test_the_segments_of_each_past_day_become_one() -> None:
    segments = [segment(n, day=1 + n // 4) for n in range(1, 10)]
    assert numbers(runs_to_merge(segments, today=3)) == [[1, 2, 3], [4, 5, 6, 7]]
    assert numbers(runs_to_merge(segments, today=4)) == [[1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert numbers(runs_to_merge(segments[:1], today=9)) == []
    assert numbers(runs_to_merge([], today=9)) == []


def test_large_segments_stay_apart() -> None:
    sizes = [MOST_BYTES - MB, MB, MB, MOST_BYTES, 1, 1]
    segments = [segment(n, 1, size) for n, size in enumerate(sizes, 1)]
    assert numbers(runs_to_merge(segments, today=2)) == [[1, 2], [5, 6]]


def test_segments_on_both_sides_of_a_gap_stay_apart() -> None:
    segments = [segment(1, 1), segment(2, 1), segment(9, 1, before=8), segment(10, 1)]
    assert numbers(runs_to_merge(segments, today=2)) == [[1, 2], [9, 10]]


def test_many_small_segments_of_the_present_day_are_merged() -> None:
    assert numbers(runs_to_merge([segment(n, 1) for n in range(1, 60)], today=1)) == []
    (run,) = runs_to_merge([segment(n, 1) for n in range(1, 61)], today=1)
    assert len(run) == 60


def test_only_whole_segments_expire_and_never_the_newest() -> None:
    segments = [segment(n, day=n) for n in range(1, 5)]
    assert expired(segments, 4 * 86_400, 0) == ()
    assert expired(segments, 4 * 86_400, 2) == segments[:1]
    assert expired(segments, 4.6 * 86_400, 2) == segments[:2]
    assert expired(segments, 99 * 86_400, 2) == segments[:3]
    changed = [segments[0], replace(segments[1], last_published=9 * DAY), segments[2]]
    assert expired(changed, 99 * 86_400, 90.5) == changed[:1]  # type: ignore[arg-type]


async def test_a_merge_keeps_every_entry_the_chain_and_the_progress(
    redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    commits = ChainCommits(redis, keys)
    catalog = await three_segments(commits, tmp_path, ledgers=2)
    *_, last = catalog.manifests
    merged = await merge(catalog, catalog.manifests, seed=SEED)
    assert (await catalog_of(catalog.store)).manifests == [merged]
    assert (merged.chain, merged.progress, merged.owner) == (last.chain, last.progress, last.owner)
    assert merged.signature
    assert await archived(catalog.store) == await Journal(redis, keys).latest(100)
    await commits.commit()
    await archive(redis, keys, tmp_path)
    assert await archived(catalog.store) == await Journal(redis, keys).latest(100)


async def test_a_damaged_segment_is_not_merged(redis: Redis, keys: Keys, tmp_path: Path) -> None:
    commits = ChainCommits(redis, keys)
    for _ in range(2):
        await commits.commit()
        catalog = await archive(redis, keys, tmp_path)
    await catalog.store.put(catalog.manifests[0].file, b"something else")
    with pytest.raises(DamagedArchiveError, match="SHA-256"):
        await merge(catalog, catalog.manifests, seed=None)
    assert (await catalog_of(catalog.store)).manifests == catalog.manifests


async def paths(catalog: object) -> set[str]:
    store = catalog.store  # type: ignore[attr-defined]
    return {each.path for folder in ("manifests", "segments") async for each in store.list(folder)}


async def test_only_what_belongs_to_no_segment_for_long_is_deleted(
    redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    commits = ChainCommits(redis, keys)
    catalog = await three_segments(commits, tmp_path)
    await catalog.store.put("segments/half-written.parquet", b"PAR1")
    before = await paths(catalog)
    merged = await merge(catalog, catalog.manifests, seed=None)
    own = {merged.file, merged.index, manifest_path(merged.before)}
    sweeping = Sweeping(catalog)
    await catalog.refresh()
    for now in (5.0, 5 + GRACE_SECONDS - 1):
        await sweeping.sweep(now)
        assert await paths(catalog) == before | own
    await sweeping.sweep(5 + GRACE_SECONDS)
    assert await paths(catalog) == own


async def test_an_old_merge_that_comes_late_does_no_harm(
    redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    """An archiver slept in the middle of a merge, and meanwhile another one merged more."""
    commits = ChainCommits(redis, keys)
    catalog = await three_segments(commits, tmp_path)
    slept = await merge(catalog, catalog.manifests[:2], seed=None)
    await merge(catalog, catalog.manifests, seed=None)
    sweeping = Sweeping(catalog)
    await catalog.refresh()
    await sweeping.sweep(0)
    await catalog.store.put(manifest_path(slept.before), slept.encode())
    await catalog.refresh()
    await sweeping.sweep(GRACE_SECONDS)
    assert await archived(catalog.store) == await Journal(redis, keys).latest(100)


async def test_one_round_of_the_housekeeping(redis: Redis, keys: Keys, tmp_path: Path) -> None:
    commits = ChainCommits(redis, keys)
    catalog = await three_segments(commits, tmp_path)
    published = catalog.manifests[0].first_published / 1e6
    tomorrow = published + 86_400
    house = Housekeeping(catalog, lambda: tomorrow, keep_days=0)
    await house.once(0)
    assert len((await catalog_of(catalog.store)).manifests) == 1
    await commits.commit()
    archiving = archiving_in(redis, keys, store_in(tmp_path, keys))
    await archiving.start()
    await archiving.archive_all()
    assert len(await archived(catalog.store)) == 7
    late = Housekeeping(catalog, lambda: published + 5 * 86_400, keep_days=3)
    await late.once(0)
    (newest,) = (await catalog_of(catalog.store)).manifests
    assert newest.last.ledger == 4
