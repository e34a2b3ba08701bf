"""The catalog: which segments an archive has, and which manifests are ignored."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.archive.catalog import Catalog, in_order, manifest_path
from shared.archive.errors import (
    DamagedArchiveError,
)
from shared.archive.hashes import CHAIN_START
from shared.archive.store import ArchiveStore
from shared.domain.position import START, Position
from tests.shared.archive.written import entries, manifest, write


def at(n: int) -> Position:
    return Position(n, 0)


async def test_an_empty_archive_has_no_segments(catalog: Catalog) -> None:
    await catalog.refresh()
    assert (catalog.manifests, catalog.last, catalog.end, catalog.chain, catalog.began) == (
        [],
        None,
        START,
        CHAIN_START,
        None,
    )


async def test_positions_are_found_in_their_segment(catalog: Catalog) -> None:
    await write(catalog, entries([["1"]] * 7), [2, 4])
    assert [catalog.covering(at(n)) for n in range(8)] == [0, 0, 1, 1, 1, 1, 2, 3]


@settings(max_examples=30)
@given(cuts=st.sets(st.integers(1, 19)), merged=st.tuples(st.integers(0, 19), st.integers(1, 19)))
def test_manifests_inside_a_merged_one_are_ignored(cuts: set[int], merged: tuple[int, int]) -> None:
    bounds = [0, *sorted(cuts), 20]
    small = [manifest(before=at(low), last=at(high)) for low, high in pairwise(bounds)]
    first = min(merged[0], len(small) - 1)
    covered = small[first : first + merged[1]]
    large = dataclasses.replace(covered[0], last=covered[-1].last, count=99)
    left = [each for each in small if each.before != large.before]
    kept = in_order([*left, large])
    assert [each.before for each in kept[1:]] == [each.last for each in kept[:-1]]
    assert (kept[0].before, kept[-1].last) == (at(0), at(20))
    assert large in kept


async def test_a_manifest_that_is_damaged_is_named(catalog: Catalog, store: ArchiveStore) -> None:
    await write(catalog, entries([["1"]]))
    await store.put(manifest_path(at(1)), b"{")
    with pytest.raises(DamagedArchiveError, match=r"00000001-0+.json in file:///.*not a manifest"):
        await Catalog(store).refresh()


async def test_only_changed_manifests_are_read_again(
    catalog: Catalog, store: ArchiveStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(catalog, entries([["1"]] * 6), [2, 2])
    await catalog.refresh()
    read, get = [], store.get

    async def counted(path: str) -> bytes:
        read.append(path)
        return await get(path)

    monkeypatch.setattr(store, "get", counted)
    await catalog.refresh()
    assert read == []
    await write(catalog, entries([["1"]], first=7))
    read.clear()
    await catalog.refresh()
    assert read == [manifest_path(at(6))]
