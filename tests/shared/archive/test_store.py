"""The object store: the same behaviour on the local disk and on an S3 server over HTTP."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from shared.archive.blocks import BlockCache
from shared.archive.catalog import Catalog
from shared.archive.errors import (
    AlreadyArchivedError,
    ArchiveUnavailableError,
    NotInArchiveError,
)
from shared.archive.hashes import entry_hash
from shared.archive.reader import ArchiveReader
from shared.archive.store import ArchiveStore
from shared.archive.writer import replace
from shared.domain.position import END, START
from shared.journal.reader import JournalPage
from tests.shared.archive.written import entries, write
from tests.support.s3_server import BUCKET, environment, s3_server

pytestmark = pytest.mark.io


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture(params=["file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "file":
        return f"file://{tmp_path}/my%20archive"
    request.getfixturevalue("s3")
    return f"s3://{BUCKET}/{uuid.uuid4()}"


@pytest.fixture
def store(url: str) -> ArchiveStore:
    return ArchiveStore(url, "test", makes_folder=True)


async def names(store: ArchiveStore, folder: str) -> dict[str, int]:
    return {each.path: each.size async for each in store.list(folder)}


async def test_an_object_is_read_whole_or_in_part(store: ArchiveStore) -> None:
    await store.put("a/x", b"0123456789")
    assert await store.get("a/x") == b"0123456789"
    for start, length in ((0, 10), (3, 4), (9, 1), (8, 100)):
        part = b"0123456789"[start : start + length]
        assert await store.get_range("a/x", start, length) == part
        assert await asyncio.to_thread(store.range_in_thread, "a/x", start, length) == part


async def test_an_object_can_be_overwritten_but_created_only_once(store: ArchiveStore) -> None:
    await store.create("a/x", b"first")
    with pytest.raises(AlreadyArchivedError, match=r"a/x in .* exists already"):
        await store.create("a/x", b"second")
    assert await store.get("a/x") == b"first"
    await store.put("a/x", b"third")
    assert await store.get("a/x") == b"third"


async def test_of_many_that_create_at_once_one_succeeds(store: ArchiveStore) -> None:
    results = await asyncio.gather(
        *(store.create("a/x", b"%d" % n) for n in range(8)), return_exceptions=True
    )
    assert results.count(None) == 1
    assert sum(isinstance(each, AlreadyArchivedError) for each in results) == 7
    assert await store.get("a/x") == b"%d" % results.index(None)


async def test_what_is_not_there_is_told(store: ArchiveStore) -> None:
    with pytest.raises(NotInArchiveError, match=r"a/x in .* is not there"):
        await store.get("a/x")
    with pytest.raises(NotInArchiveError):
        await store.get_range("a/x", 0, 1)
    with pytest.raises(NotInArchiveError):
        await asyncio.to_thread(store.range_in_thread, "a/x", 0, 1)
    await store.delete("a/x")
    assert await names(store, "a") == {}


async def test_a_list_has_all_pages_of_one_folder(
    store: ArchiveStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "7")  # S3 itself has 1,000 in a page
    await asyncio.gather(*(store.put(f"a/{n}", b"x" * n) for n in range(30)))
    await store.put("ab/x", b"")
    assert await names(store, "a") == {f"a/{n}": n for n in range(30)}
    await store.delete("a/7")
    assert len(await names(store, "a")) == 29


async def test_a_changed_object_has_another_version(store: ArchiveStore) -> None:
    await store.put("a/x", b"1")
    (before,) = [each async for each in store.list("a")]
    await store.put("a/x", b"2")
    (after,) = [each async for each in store.list("a")]
    assert before.version != after.version
    assert after.modified >= before.modified > 0


async def test_namespaces_do_not_see_each_other(store: ArchiveStore, url: str) -> None:
    await store.put("a/x", b"1")
    other = ArchiveStore(url, "test2")
    assert await names(other, "a") == {}


async def test_an_archive_is_written_and_read_through_the_store(
    store: ArchiveStore, tmp_path: Path
) -> None:
    written = entries([["1"], ["2"], []] * 4)
    await write(Catalog(store), written, [5, 5])
    for cache in (None, BlockCache(str(tmp_path / "cache"), 1 << 24)):
        reader = ArchiveReader(Catalog(store), cache)
        page = await reader.after(START)
        assert isinstance(page, JournalPage)
        assert page.entries == written[:5]
        found = await reader.between(START, END, 99, newest_first=True, topics=["1"])
        assert found == written[9::-3]


async def test_a_reader_keeps_nothing_of_an_erased_body(s3: str, tmp_path: Path) -> None:
    catalog = Catalog(ArchiveStore(f"s3://{BUCKET}/{uuid.uuid4()}", "test"))
    written = [each._replace(body=b'{"publishedAt":1,"note":"secret"}') for each in entries([[]])]
    await write(catalog, written)
    reader = ArchiveReader(Catalog(catalog.store), BlockCache(str(tmp_path), 1 << 24))
    await reader.after(START)
    assert any(b"secret" in each.read_bytes() for each in files_in(tmp_path))
    covered, erased = catalog.manifests, {"1-0": entry_hash(written[0])}
    await replace(catalog, covered, entries([[]]), erased=erased)
    await reader.catalog.refresh()
    await reader.after(START)
    assert not any(b"secret" in each.read_bytes() for each in files_in(tmp_path))


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_a_bucket_that_does_not_exist_is_told(s3: str) -> None:
    with pytest.raises(ArchiveUnavailableError, match="s3://nothing does not exist: create it"):
        await ArchiveStore("s3://nothing", "test").put("a/x", b"1")


async def test_settings_that_are_missing_are_told() -> None:
    with pytest.raises(ArchiveUnavailableError, match=r"a/x in az://nothing: .*Account must be"):
        await ArchiveStore("az://nothing", "test").get("a/x")


async def test_a_store_that_does_not_answer_is_told_soon() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen, so connections are refused
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with patch.dict(os.environ, environment(endpoint)):
            store = ArchiveStore(f"s3://{BUCKET}", "test")
        with pytest.raises(ArchiveUnavailableError, match=f"a/x in s3://{BUCKET}: .*{endpoint}"):
            await store.put("a/x", b"1")
        with pytest.raises(ArchiveUnavailableError):
            await names(store, "a")


async def test_a_folder_that_is_away_when_a_service_starts_is_an_archive_that_is_away(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "archive"
    folder.write_text("a file where the folder belongs")
    store = ArchiveStore(f"file://{folder}", "test", makes_folder=True)
    with pytest.raises(ArchiveUnavailableError):
        await store.get("a")
    folder.unlink()
    await store.put("a", b"x")
    assert await store.get("a") == b"x"


@pytest.mark.parametrize("made", [False, True])
async def test_a_folder_that_is_missing_is_no_empty_archive(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "archive"
    if made:
        folder.mkdir()
    store = ArchiveStore(f"file://{folder}", "test")
    if made:
        folder.rmdir()  # the disk is not mounted any more
    calls = (store.get("a"), store.get_range("a", 0, 1), store.put("a", b""), names(store, "a"))
    for call in calls:
        with pytest.raises(ArchiveUnavailableError, match=f"the folder {folder} .* ARCHIVE_URL"):
            await call
    assert not folder.exists()
