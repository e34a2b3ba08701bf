"""A restore brings all of Redis back, up to the archive's last position."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from services.archiver import restoring
from services.archiver.commands import restore
from services.archiver.commands.runner import RefusedCommandError
from services.archiver.settings import ArchiverSettings
from shared.archive.errors import ArchiveUnavailableError
from shared.archive.mark import read_mark
from shared.domain.position import parse_position
from shared.journal.commit import Committer
from shared.journal.commit_errors import JournalBehindError
from shared.journal.keys import Keys
from shared.journal.losses import DataLossDetector, check_journal, read_reports
from shared.journal.progress import read_progress
from shared.journal.reader import Journal, JournalPage
from shared.journal.streams import StoredStreams
from tests.archiver.archives import (
    ChainCommits,
    archive,
    create_stream,
    empty,
    namespace_content,
    pause_stream,
    settings_of,
)
from tests.shared.samples import at


@pytest.fixture
def settings(redis_url: str, keys: Keys, tmp_path: Path) -> ArchiverSettings:
    return settings_of(redis_url, keys, tmp_path)


async def fill(redis: Redis, keys: Keys) -> ChainCommits:
    """Streams of the chain and of the API, with several events each."""
    commits = ChainCommits(redis, keys)
    await commits.commit(5)
    await create_stream(redis, keys, "1", note="ä", stream={"version": 1})
    await create_stream(redis, keys, "2", amount=1.5)
    await commits.commit(5)
    await pause_stream(redis, keys, "1")
    return commits


def without_server(content: Any, keys: Keys) -> Any:
    """The progress has the id of Redis until a restore, and then none for a while."""
    content[keys.progress.encode()][2].pop(b"server", None)
    return content


async def test_every_key_is_as_before(
    redis: Redis, keys: Keys, settings: ArchiverSettings, tmp_path: Path
) -> None:
    await fill(redis, keys)
    before = without_server(await namespace_content(redis, keys), keys)
    catalog = await archive(redis, keys, tmp_path)
    await empty(redis, keys)
    assert await restore.run(settings, redis) == 0
    assert without_server(await namespace_content(redis, keys), keys) == before
    mark = await read_mark(redis, keys)
    assert mark
    assert (mark.position, mark.chain) == (catalog.end, catalog.chain.hex())
    assert await redis.exists(keys.epoch)
    assert not await redis.exists(keys.lease, keys.archiver_lease)


async def test_many_segments_give_the_same_as_one(
    redis: Redis,
    keys: Keys,
    settings: ArchiverSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(restoring, "_BATCH", 2)
    monkeypatch.setattr(restoring, "_COLLECTED", 5)
    commits = ChainCommits(redis, keys)
    for n in range(4):
        await commits.commit(2)
        await create_stream(redis, keys, str(n))
        catalog = await archive(redis, keys, tmp_path)
    assert len(catalog.manifests) == 4
    before = without_server(await namespace_content(redis, keys), keys)
    await empty(redis, keys)
    await restore.run(settings, redis)
    assert without_server(await namespace_content(redis, keys), keys) == before


async def test_the_journal_has_as_many_entries_as_it_keeps(
    redis: Redis, redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    commits = await fill(redis, keys)
    await archive(redis, keys, tmp_path)
    await commits.commit(3)
    await archive(redis, keys, tmp_path)
    entries = await Journal(redis, keys).latest(100)
    sums = [fields[b"s"] for _, fields in await _rows(redis, keys)]
    size = int(sums[-1]) - int(sums[-4])
    streams = await StoredStreams(redis, keys).load(["1", "api-1"])
    for limit in ({"journal_max_length": 9}, {"journal_max_bytes": size + 1}):
        await empty(redis, keys)
        await restore.run(settings_of(redis_url, keys, tmp_path, **limit), redis)
        count = 9 if "journal_max_length" in limit else 3
        assert await Journal(redis, keys).latest(100) == entries[-count:]
        assert [fields[b"s"] for _, fields in await _rows(redis, keys)] == sums[-count:]
        assert await StoredStreams(redis, keys).load(["1", "api-1"]) == streams


async def _rows(redis: Redis, keys: Keys) -> Any:
    return await redis.xrange(keys.journal)


async def test_the_indexer_and_the_api_go_on(
    redis: Redis, keys: Keys, settings: ArchiverSettings, tmp_path: Path
) -> None:
    commits = await fill(redis, keys)
    await archive(redis, keys, tmp_path)
    lost = await commits.commit(2)
    await empty(redis, keys)
    await restore.run(settings, redis)
    with pytest.raises(JournalBehindError):
        await create_stream(redis, keys, "too-early")
    progress = await read_progress(redis, keys)
    assert progress.cursor == at(commits.ledger - 2).toid
    committer = Committer(redis, keys)
    again = ChainCommits(redis, keys)
    again.ledger = commits.ledger - 2
    assert await again.commit(2) == lost, "events that were not archived come back from the chain"
    caught_up = {"cursor": str(at(commits.ledger).toid)}
    await committer.record([], progress=caught_up, caught_up=True)
    new = await create_stream(redis, keys, "3")
    assert parse_position(new) > lost[-1]
    page = await Journal(redis, keys).after(parse_position(str(progress.began)), 100)
    assert isinstance(page, JournalPage)
    assert page.entries[-1].position == new, "the journal is whole"


async def test_processes_that_noticed_the_loss_go_on_without_announcing_it(
    redis: Redis,
    keys: Keys,
    settings: ArchiverSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await fill(redis, keys)
    await archive(redis, keys, tmp_path)
    detector = DataLossDetector()
    await check_journal(redis, keys, detector, name="a fanout")
    top = detector.top
    await empty(redis, keys)
    await check_journal(redis, keys, detector, name="a fanout")
    assert detector.lost
    monkeypatch.setattr(restore, "_NOTICED_SECONDS", 0.01)  # no other process runs
    await restore.run(settings, redis)
    assert await read_reports(redis, keys) == [], "no indexer announces the loss"
    await check_journal(redis, keys, detector, name="a fanout")
    assert (detector.lost, detector.top) == (False, top)


async def test_a_namespace_that_is_not_empty_is_refused(
    redis: Redis, keys: Keys, settings: ArchiverSettings, tmp_path: Path
) -> None:
    await fill(redis, keys)
    await archive(redis, keys, tmp_path)
    with pytest.raises(RefusedCommandError, match="not empty"):
        await restore.run(settings, redis)
    await empty(redis, keys)
    await redis.set(keys.lease, "an indexer")
    with pytest.raises(RefusedCommandError, match="an indexer is active"):
        await restore.run(settings, redis)
    await redis.delete(keys.lease)
    await redis.set(keys.archiver_lease, "an archiver")
    with pytest.raises(RefusedCommandError, match="an archiver is active"):
        await restore.run(settings, redis)
    assert not await redis.exists(keys.progress)


async def test_an_archive_that_does_not_fit_is_refused(
    redis: Redis, redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    await fill(redis, keys)
    await archive(redis, keys, tmp_path)
    await empty(redis, keys)
    other = settings_of(redis_url, keys, tmp_path, network_passphrase="another network")
    with pytest.raises(RefusedCommandError, match="belongs to contract"):
        await restore.run(other, redis)
    nothing = tmp_path / "nothing"
    with pytest.raises(ArchiveUnavailableError, match=f"the folder {nothing} .* does not exist"):
        await restore.run(settings_of(redis_url, keys, nothing), redis)
    nothing.mkdir()
    with pytest.raises(RefusedCommandError, match="is empty"):
        await restore.run(settings_of(redis_url, keys, nothing), redis)


async def test_streams_of_the_api_alone_are_restored_too(
    redis: Redis, keys: Keys, settings: ArchiverSettings, tmp_path: Path
) -> None:
    """No indexer ever ran. So there is none that lets the API go on."""
    await create_stream(redis, keys, "1")
    before = await namespace_content(redis, keys)
    await archive(redis, keys, tmp_path)
    await empty(redis, keys)
    await restore.run(settings, redis)
    assert await namespace_content(redis, keys) == before
    await create_stream(redis, keys, "2")
