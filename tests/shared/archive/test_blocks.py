"""Files in blocks: the same bytes as the file, and each block is fetched once."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.archive import blocks
from shared.archive.blocks import BlockCache, CachedFile

CONTENT = bytes(range(256)) * 2


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 100)


class CountedFile:
    """The content in the store, and which parts of it were fetched."""

    def __init__(self) -> None:
        self.fetched: list[tuple[int, int]] = []

    def fetch(self, start: int, length: int) -> bytes:
        self.fetched.append((start, length))
        return CONTENT[start : start + length]

    def open(self, cache: BlockCache | None, name: str = "a") -> CachedFile:
        return CachedFile(self.fetch, name, len(CONTENT), cache)


@pytest.fixture(scope="module")
def shared_cache() -> BlockCache:
    return BlockCache("", 10_000)


SEEKS = st.tuples(st.integers(-600, 600), st.sampled_from([io.SEEK_SET, io.SEEK_CUR, io.SEEK_END]))


@pytest.mark.parametrize("cached", [False, True])
@given(steps=st.lists(st.tuples(SEEKS, st.integers(-1, 600)), max_size=8))
def test_it_reads_like_a_file_in_memory(
    shared_cache: BlockCache, cached: bool, steps: list[tuple[tuple[int, int], int]]
) -> None:
    ours, model = CountedFile().open(shared_cache if cached else None), io.BytesIO(CONTENT)
    for (offset, whence), size in steps:
        place = max(0, {0: 0, 1: model.tell(), 2: len(CONTENT)}[whence] + offset)
        assert ours.seek(offset, whence) == model.seek(place) == ours.tell()
        assert ours.read(size) == model.read(size)


def test_each_block_is_fetched_once(tmp_path: Path) -> None:
    stored, cache = CountedFile(), BlockCache(str(tmp_path), 10_000)
    for _ in range(2):
        file = stored.open(cache)
        file.seek(150)
        assert file.read(100) == CONTENT[150:250]
    assert stored.fetched == [(100, 100), (200, 100)]
    assert stored.open(BlockCache(str(tmp_path), 10_000)).read() == CONTENT  # a later process
    assert stored.fetched[2:] == [(0, 100), (300, 100), (400, 100), (500, 12)]


def test_without_a_cache_only_what_is_read_is_fetched() -> None:
    stored = CountedFile()
    file = stored.open(None)
    file.seek(150)
    assert file.read(3) == CONTENT[150:153]
    assert stored.fetched == [(150, 3)]


def test_blocks_unused_for_longest_are_deleted_first(tmp_path: Path) -> None:
    cache = BlockCache(str(tmp_path), 250)
    for name in ("a", "b"):
        cache.put(name, b"x" * 100)
    assert cache.get("a")
    cache.put("c", b"x" * 100)
    assert [name for name in "abc" if cache.get(name)] == ["a", "c"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "c"]


def test_blocks_of_an_earlier_process_count(tmp_path: Path) -> None:
    BlockCache(str(tmp_path), 250).put("a", b"x" * 100)
    cache = BlockCache(str(tmp_path), 150)
    cache.put("b", b"x" * 100)
    assert [cache.get("a"), cache.get("b")] == [None, b"x" * 100]


def test_a_damaged_block_is_fetched_again(tmp_path: Path) -> None:
    stored, cache = CountedFile(), BlockCache(str(tmp_path), 10_000)
    stored.open(cache).read(10)
    for damage in (b"", b"1234" + b"y" * 100):
        (tmp_path / "a-0").write_bytes(damage)
        assert stored.open(cache).read(10) == CONTENT[:10]
    assert stored.fetched == [(0, 100)] * 3


def test_a_file_that_ends_early_is_told_and_not_kept(tmp_path: Path) -> None:
    stored, cache = CountedFile(), BlockCache(str(tmp_path), 10_000)
    for each in (None, cache):
        file = CachedFile(stored.fetch, "a", len(CONTENT) + 40, each)
        file.seek(-60, io.SEEK_END)
        with pytest.raises(OSError, match="ends at byte 512, but its manifest says 552 bytes"):
            file.read()
    assert cache.get("a-5") is None


def test_blocks_of_files_that_are_gone_are_deleted(tmp_path: Path) -> None:
    stored, cache = CountedFile(), BlockCache(str(tmp_path), 10_000)
    for name in ("a", "b"):
        stored.open(cache, name).read(150)
    cache.keep_only({"b", "c"})
    assert sorted(each.name for each in tmp_path.iterdir()) == ["b-0", "b-1"]


def test_a_disk_that_refuses_costs_only_the_speed(tmp_path: Path) -> None:
    stored, cache = CountedFile(), BlockCache(str(tmp_path / "cache"), 10_000)
    (tmp_path / "cache").rmdir()
    assert stored.open(cache).read(10) == CONTENT[:10]


def test_a_temporary_folder_ends_with_its_cache() -> None:
    cache = BlockCache("", 1_000)
    cache.put("a", b"x")
    folder = cache._folder
    assert list(folder.iterdir())
    del cache
    assert not folder.exists()
