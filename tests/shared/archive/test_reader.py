"""Reading the archive gives what a scan of all entries gives, or a gap where it must."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.archive import segment, topic_rows
from shared.archive.blocks import BlockCache
from shared.archive.catalog import Catalog
from shared.archive.errors import DamagedArchiveError
from shared.archive.reader import ArchiveReader
from shared.archive.store import ArchiveStore
from shared.archive.writer import delete, replace
from shared.domain.position import END, START, Position
from shared.domain.topics import matches
from shared.journal.reader import JournalGap, JournalPage, NoNewEvents
from shared.journal.wire import JournalEntry
from tests.shared.archive.written import entries, entry, write
from tests.support.tier import examples

TOPICS = ["1", "2", "user:GA", "user:GB"]
SOME = st.lists(st.sampled_from(TOPICS), unique=True)


def at(n: int) -> Position:
    return Position(n, 0)


async def all_after(reader: ArchiveReader, position: Position, limit: int) -> list[JournalEntry]:
    """All entries after a position, page by page."""
    read: list[JournalEntry] = []
    while isinstance(page := await reader.after(position, limit), JournalPage):
        assert 0 < len(page.entries) <= limit
        read += page.entries
        position = page.end
        assert page.more == (page.end < reader.catalog.end)
    assert page == NoNewEvents()
    return read


async def all_of_topics(
    reader: ArchiveReader, topics: list[str], position: Position, before: Position, limit: int
) -> list[JournalEntry]:
    read: list[JournalEntry] = []
    while isinstance(page := await reader.of_topics(topics, position, before, limit), JournalPage):
        assert page.end > position
        assert len(page.entries) <= limit
        read += page.entries
        position = page.end
    assert page == NoNewEvents()
    return read


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row groups of three entries, so that a small segment has several."""
    monkeypatch.setattr(segment, "ROW_GROUP", 3)
    monkeypatch.setattr(topic_rows, "ROW_GROUP", 3)
    monkeypatch.setattr(topic_rows, "INDEX_GROUP", 2)


@pytest.mark.usefixtures("small_groups")
@settings(max_examples=examples(20))
@given(
    topics=st.lists(SOME, min_size=1, max_size=20),
    sizes=st.lists(st.integers(1, 8), max_size=4),
    subscribed=st.lists(st.sampled_from([*TOPICS, "user:GC"]), min_size=1, unique=True),
    bounds=st.tuples(st.integers(0, 22), st.integers(1, 24)),
    limit=st.integers(1, 6),
)
async def test_every_way_of_reading_finds_what_a_scan_finds(
    topics: list[list[str]],
    sizes: list[int],
    subscribed: list[str],
    bounds: tuple[int, int],
    limit: int,
) -> None:
    written = entries(topics)
    low, high = at(bounds[0]), at(bounds[1])
    inside = [e for n, e in enumerate(written, 1) if low < at(n) < high]
    wanted = [e for e in inside if matches(subscribed, e.topics) or not e.topics]
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog(ArchiveStore(f"file://{folder}", "test", makes_folder=True))
        await write(catalog, written, sizes)
        reader = ArchiveReader(catalog)
        assert await all_after(reader, low, limit) == written[low.toid :]
        assert await all_of_topics(reader, subscribed, low, high, limit) == wanted
        for newest_first in (False, True):
            for names, expected in ((None, inside), ([*subscribed, ""], wanted)):
                ordered = expected[::-1] if newest_first else expected
                read = await reader.between(
                    low, high, limit, newest_first=newest_first, topics=names
                )
                assert read == ordered[:limit]


async def test_an_empty_archive_has_no_new_events(catalog: Catalog) -> None:
    reader = ArchiveReader(catalog)
    for position in (START, at(7), END):
        assert await reader.after(position) == NoNewEvents()
        assert await reader.of_topics(["1"], position, END, 5) == NoNewEvents()
    assert await reader.between(START, END, 5, newest_first=True) == []


async def test_a_range_that_was_never_archived_is_a_gap(catalog: Catalog) -> None:
    await write(catalog, entries([["1"]] * 3))
    await write(catalog, entries([["1"]] * 3, first=6))
    reader = ArchiveReader(catalog)
    page = await reader.after(START)
    assert isinstance(page, JournalPage)
    assert (page.end, page.more) == (at(3), True)
    assert await reader.after(at(3)) == JournalGap(at(5))
    assert await reader.after(at(4)) == JournalGap(at(5))
    page = await reader.of_topics(["1"], START, END, 9)
    assert isinstance(page, JournalPage)
    assert (len(page.entries), page.end, page.more) == (3, at(3), True)
    assert await reader.of_topics(["1"], at(3), END, 9) == JournalGap(at(5))


async def test_an_archive_that_began_with_the_journal_has_no_gap_from_the_start(
    catalog: Catalog,
) -> None:
    await write(catalog, entries([["1"]], first=5), progress={"began": "4-0"})
    reader = ArchiveReader(catalog)
    assert isinstance(await reader.after(START), JournalPage)
    assert isinstance(await reader.of_topics(["1"], START, END, 5), JournalPage)
    assert await reader.after(at(1)) == JournalGap(at(4))


async def test_a_journal_that_began_after_a_loss_is_not_the_beginning(catalog: Catalog) -> None:
    await write(catalog, entries([["1"]], first=5), progress={"began": "4-0"})
    await write(catalog, entries([["1"]], first=6), progress={"began": "5-5"})
    assert str(catalog.began) == "4-0"


async def test_an_archive_that_began_later_than_the_journal_has_a_gap(catalog: Catalog) -> None:
    await write(catalog, entries([["1"]], first=5), progress={"began": "2-0"})
    assert await ArchiveReader(catalog).after(START) == JournalGap(at(4))


async def test_until_the_journals_beginning_is_known_that_of_the_archive_counts(
    catalog: Catalog,
) -> None:
    await write(catalog, entries([["1"]] * 4, first=5), [2], progress={"cursor": "1"})
    reader = ArchiveReader(catalog)
    assert isinstance(await reader.after(START), JournalPage)
    catalog.manifests = catalog.manifests[1:]  # as after ARCHIVE_KEEP_DAYS
    assert await reader.after(START) == JournalGap(at(6))


async def test_a_reader_finds_segments_that_were_written_later(
    catalog: Catalog, store: ArchiveStore
) -> None:
    reader = ArchiveReader(Catalog(store), refresh_seconds=0)
    assert await reader.after(START) == NoNewEvents()
    await write(catalog, entries([["1"]]))
    assert isinstance(await reader.after(START), JournalPage)


async def test_a_reader_continues_when_its_segments_were_merged(
    catalog: Catalog, store: ArchiveStore
) -> None:
    written = entries([["1"]] * 6)
    await write(catalog, written, [2, 2])
    reader = ArchiveReader(Catalog(store))
    page = await reader.after(START, limit=2)
    assert isinstance(page, JournalPage)
    covered = catalog.manifests
    merged = await replace(catalog, covered, written)
    await delete(catalog, covered, replaced_by=merged)
    assert [*page.entries, *await all_after(reader, page.end, 9)] == written


async def test_a_page_ends_after_a_megabyte(catalog: Catalog) -> None:
    large = [
        each._replace(body=each.body[:-1] + b',"x":"%s"}' % (b"x" * 200_000))
        for each in entries([["1"]] * 20)
    ]
    await write(catalog, large)
    page = await ArchiveReader(catalog).after(START)
    assert isinstance(page, JournalPage)
    assert 5 <= len(page.entries) < 20
    assert (page.end, page.more) == (at(len(page.entries)), True)


async def test_one_call_looks_into_few_segments(catalog: Catalog) -> None:
    written = entries([["1"], *[["2"]] * 30, ["1"]])
    await write(catalog, written, [1] * 40)
    reader = ArchiveReader(catalog)
    first = await reader.of_topics(["2"], START, END, 100)
    assert isinstance(first, JournalPage)
    assert len(first.entries) < 30
    assert await all_of_topics(reader, ["1"], START, END, 9) == [written[0], written[-1]]


@pytest.mark.usefixtures("small_groups")
async def test_a_lookup_reads_the_row_groups_with_the_topic_only(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written = entries([[str(n // 3)] for n in range(300)])
    await write(catalog, written)
    read, fetch = [], catalog.store.range_in_thread

    def counted(path: str, start: int, length: int) -> bytes:
        read.append(path)
        return fetch(path, start, length)

    monkeypatch.setattr(catalog.store, "range_in_thread", counted)
    reader = ArchiveReader(catalog, BlockCache(f"{tmp_path}/cache", 1 << 24))
    found = await reader.between(START, END, 9, newest_first=False, topics=["50"])
    assert found == written[150:153]
    assert len(read) < 30  # of a hundred row groups with several columns each
    assert not any((tmp_path / "cache").iterdir()), "a local file needs no cache"


def changed(raw: bytes) -> bytes:
    return raw.replace(b"stream.created", b"stream.treated", 1)


@pytest.mark.parametrize("damage", [changed, lambda raw: raw[:-9], lambda raw: raw[:9]])
async def test_a_damaged_file_is_told_and_not_read(
    catalog: Catalog, damage: Callable[[bytes], bytes]
) -> None:
    await write(catalog, [entry(1, ["1"])])
    path = catalog.manifests[0].file
    await catalog.store.put(path, damage(await catalog.store.get(path)))
    with pytest.raises(DamagedArchiveError, match="is damaged"):
        await ArchiveReader(catalog).after(START)
