"""The command `verify --archive`: the events of the archive are compared with the ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.archive.catalog import Catalog
from shared.archive.store import ArchiveStore
from shared.archive.writer import append
from shared.domain.events import EventType
from shared.journal.keys import Keys
from shared.journal.progress import read_fields
from tests.indexer.commands.verifying import FIRST, rewrite, thirty_ledgers
from tests.indexer.installed import Site
from tests.indexer.simulated import journal

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def site(redis: Redis, redis_url: str, keys: Keys) -> AsyncIterator[Site]:
    async with thirty_ledgers(redis, redis_url, keys) as site:
        yield site


async def archived(site: Site, folder: Path) -> None:
    """Archive the journal, and lose it."""
    catalog = Catalog(ArchiveStore(folder.as_uri(), site.keys.namespace, makes_folder=True))
    progress = await read_fields(site.redis, site.keys)
    entries = await journal(site.redis, site.keys)
    half = len(entries) // 2
    await append(catalog, entries[:half], progress={}, owner={})
    await append(catalog, entries[half:], progress=progress, owner={})
    await site.redis.delete(site.keys.journal)


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the archive in ARCHIVE_URL."""
    monkeypatch.setenv("ARCHIVE_URL", tmp_path.as_uri())
    return tmp_path


async def test_the_archive_is_compared_with_the_ledger_too(site: Site, archive: Path) -> None:
    await archived(site, archive)
    lines, text = await verify_archive(site)
    assert lines == []
    assert "all equal" in text
    assert (await verify_archive(site, FIRST + 11, FIRST + 17))[0] == []


async def test_an_altered_event_of_the_archive_is_reported(site: Site, archive: Path) -> None:
    entries = await journal(site.redis, site.keys)
    victim = next(e for e in entries[10:] if e.type == EventType.STREAM_WITHDRAWN)
    change = (b'"amount":"', b'"amount":"1', 1)
    await rewrite(site, victim.position, lambda body: body.replace(*change))
    await archived(site, archive)
    lines, _ = await verify_archive(site)
    assert [(each["where"], each["what"]) for each in lines] == [(victim.position, "amount")]


@pytest.mark.usefixtures("archive")
async def test_what_is_not_archived_cannot_be_compared(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--archive", "--from", FIRST, "--to", FIRST + 1)
    code, _, text = await site.command("verify", *words)
    assert (code, "only up to ledger 0" in text) == (2, True)
    monkeypatch.delenv("ARCHIVE_URL")
    code, _, text = await site.command("verify", *words)
    assert (code, "needs ARCHIVE_URL" in text) == (2, True)


async def verify_archive(site: Site, first: int = FIRST, last: int = FIRST + 29) -> Any:
    words = ("--archive", "--from", first, "--to", last)
    code, lines, stderr = await site.command("verify", *words)
    assert code == (1 if lines else 0), stderr
    return lines, stderr
