"""A restore from a damaged archive names the damage. It goes on without it if it is told to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from redis.asyncio import Redis

from services.archiver.commands import restore, verify
from services.archiver.settings import ArchiverSettings
from shared.archive.catalog import Catalog, manifest_path
from shared.archive.errors import DamagedArchiveError
from shared.archive.history import with_archive
from shared.archive.manifest import Manifest
from shared.archive.mark import read_mark
from shared.archive.pages import ArchivePages
from shared.archive.reader import ArchiveReader
from shared.archive.store import ArchiveStore
from shared.domain.position import parse_position
from shared.journal.keys import Keys
from shared.journal.pages import JournalPages, PageReader
from shared.journal.reader import Journal, JournalGap, JournalPage
from shared.journal.streams import StoredStreams
from shared.journal.topic_reader import TopicReader
from tests.archiver.archives import (
    ChainCommits,
    archive,
    create_stream,
    empty,
    pause_stream,
    settings_of,
)


class Lost(NamedTuple):
    """The archive of a Redis that is empty now. The third segment pauses the stream `api-1`."""

    manifests: Sequence[Manifest]
    folder: Path

    def cut_off(self, path: str) -> None:
        file = self.folder / path
        file.write_bytes(file.read_bytes()[:-9])

    def delete(self, path: str) -> None:
        (self.folder / path).unlink()


@pytest.fixture
async def lost(redis: Redis, keys: Keys, tmp_path: Path) -> Lost:
    commits = ChainCommits(redis, keys)
    for n in range(5):
        await commits.commit(2)
        if n == 1:
            await create_stream(redis, keys, "1")
        if n == 2:
            await pause_stream(redis, keys, "1")
        catalog = await archive(redis, keys, tmp_path)
    await empty(redis, keys)
    return Lost(catalog.manifests, tmp_path / keys.namespace)


@pytest.fixture
def settings(redis_url: str, keys: Keys, tmp_path: Path) -> ArchiverSettings:
    return settings_of(redis_url, keys, tmp_path)


def history_of(redis: Redis, settings: ArchiverSettings) -> PageReader:
    """Journal and archive, as resumes read them."""
    journal = Journal(redis, settings.keys)
    store = ArchiveStore(settings.archive_url, settings.keys.namespace)
    archived = ArchivePages(ArchiveReader(Catalog(store)))
    own = JournalPages(journal, TopicReader(redis, settings.keys, journal))
    return with_archive(own, journal, archived)


@pytest.mark.parametrize("damage", [Lost.cut_off, Lost.delete])
async def test_the_damaged_segment_is_named(
    redis: Redis, settings: ArchiverSettings, lost: Lost, damage: Callable[[Lost, str], None]
) -> None:
    third = lost.manifests[2]
    damage(lost, third.file)
    with pytest.raises(DamagedArchiveError) as raised:
        await restore.run(settings, redis)
    text = str(raised.value)
    for part in (third.file, str(third.before), str(third.last), "empty Redis", "--skip-damaged"):
        assert part in text
    assert (lost.folder / manifest_path(third.before)).exists(), "nothing is moved"


@pytest.mark.parametrize("what", ["file", "manifest"])
async def test_what_is_left_out_is_a_gap_for_all_readers(
    redis: Redis,
    settings: ArchiverSettings,
    lost: Lost,
    what: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, second, third, fourth, _ = lost.manifests
    damaged = third.file if what == "file" else manifest_path(third.before)
    lost.cut_off(damaged)
    assert await restore.run(settings, redis, skip_damaged=True) == 1
    out, err = capsys.readouterr()
    assert f"Missing: all events after {second.last} up to {third.last}\n" in out
    assert ("Stream api-1 may have changed" in out) == (what == "file")
    assert damaged in err
    assert (lost.folder / "damaged" / damaged).exists()

    (stream,) = (await StoredStreams(redis, settings.keys).load(["api-1"])).values()
    assert stream
    assert stream.status == "active"
    oldest, *_ = await Journal(redis, settings.keys).latest(100)
    assert oldest.position == str(fourth.first)
    history = history_of(redis, settings)
    page = await history.after(second.before, 100)
    assert isinstance(page, JournalPage)
    assert page.end == second.last
    assert await history.after(page.end, 100) == JournalGap(third.last)
    assert isinstance(await history.after(third.last, 100), JournalPage)


async def test_without_the_newest_segment_the_archive_ends_earlier(
    redis: Redis, settings: ArchiverSettings, lost: Lost, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *_, fourth, fifth = lost.manifests
    lost.cut_off(fifth.file)
    assert await restore.run(settings, redis, skip_damaged=True) == 1
    assert f"all events after {fourth.last} up to {fifth.last}\n" in capsys.readouterr().out
    mark = await read_mark(redis, settings.keys)
    assert mark
    assert mark.position == fourth.last
    oldest, *_, newest = await Journal(redis, settings.keys).latest(100)
    assert parse_position(oldest.position) == first.first
    assert parse_position(newest.position) == fourth.last
    assert await verify.run(verify.arguments([]), settings, redis) == 0


async def test_without_the_oldest_segment_the_archive_begins_later(
    redis: Redis, settings: ArchiverSettings, lost: Lost, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, *_ = lost.manifests
    lost.cut_off(manifest_path(first.before))
    assert await restore.run(settings, redis, skip_damaged=True) == 1
    text = f"Missing: all events after {first.before} up to {second.before}\n"
    assert text in capsys.readouterr().out
    history = history_of(redis, settings)
    assert await history.after(parse_position("0-0"), 100) == JournalGap(second.before)


async def test_an_archive_without_any_whole_segment_is_not_restored(
    redis: Redis, settings: ArchiverSettings, lost: Lost
) -> None:
    for each in lost.manifests:
        lost.delete(each.file)
    with pytest.raises(DamagedArchiveError, match="no segment of the archive can be read"):
        await restore.run(settings, redis, skip_damaged=True)
    assert not (lost.folder / "damaged").exists()


async def test_a_whole_archive_is_restored_as_without_the_option(
    redis: Redis, settings: ArchiverSettings, lost: Lost
) -> None:
    assert await restore.run(settings, redis, skip_damaged=True) == 0
    assert not (lost.folder / "damaged").exists()
