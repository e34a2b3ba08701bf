"""Writing segments: one chain, whatever is merged, erased, or half done."""

from __future__ import annotations

import pytest
from stellar_sdk import Keypair

from shared.archive.catalog import Catalog, manifest_path
from shared.archive.errors import (
    AlreadyArchivedError,
    ArchiveUnavailableError,
    DamagedArchiveError,
)
from shared.archive.hashes import CHAIN_START, chain_of, entry_hash
from shared.archive.segment import decode_segment
from shared.archive.store import ArchiveStore
from shared.archive.writer import append, delete, replace
from shared.domain.position import START, Position
from shared.journal.wire import JournalEntry
from tests.shared.archive.written import entries, entry, write


def at(n: int) -> Position:
    return Position(n, 0)


async def stored(catalog: Catalog) -> list[JournalEntry]:
    """All entries in the archive; checks the chain."""
    await catalog.refresh()
    found, chain = [], CHAIN_START
    for each in catalog.manifests:
        made, erased = decode_segment(await catalog.store.get(each.file))
        assert each.chain_before == chain.hex()
        chain = chain_of(chain, (erased.get(e.position) or entry_hash(e) for e in made))
        assert each.chain == chain.hex()
        assert (each.count, str(each.first), str(each.last)) == (
            len(made),
            made[0].position,
            made[-1].position,
        )
        found += made
    return found


async def paths(store: ArchiveStore) -> set[str]:
    folders = ("manifests", "segments")
    return {each.path for folder in folders async for each in store.list(folder)}


def files(catalog: Catalog) -> set[str]:
    """The files that the catalog names."""
    return {path for m in catalog.manifests for path in (manifest_path(m.before), m.file, m.index)}


async def test_segments_continue_the_chain(catalog: Catalog, store: ArchiveStore) -> None:
    written = entries([["1"]] * 7)
    await write(catalog, written, [2, 4])
    assert await stored(Catalog(store)) == written
    assert await paths(store) == files(catalog)
    assert [each.count for each in catalog.manifests] == [2, 4, 1]
    assert catalog.end == at(7)
    assert catalog.chain == chain_of(CHAIN_START, map(entry_hash, written))


async def test_of_two_archivers_only_one_continues(catalog: Catalog, store: ArchiveStore) -> None:
    other = Catalog(store)
    await write(catalog, entries([["1"]] * 3))
    with pytest.raises(AlreadyArchivedError):
        await append(other, entries([["1"]] * 2), progress={}, owner={})
    assert await stored(other) == entries([["1"]] * 3)
    await append(other, entries([["1"]], first=4), progress={}, owner={})
    assert await stored(catalog) == entries([["1"]] * 4)


async def test_an_answer_of_the_store_that_was_lost_is_no_error(
    catalog: Catalog, store: ArchiveStore
) -> None:
    other = Catalog(store)
    for each in (catalog, other):  # the second finds what the first wrote
        await append(each, entries([["1"]] * 3), progress={}, owner={})
    assert catalog.manifests == other.manifests


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ([], "at least one"),
        (entries([["1"]], first=2), "does not follow"),
        (entries([["1"]], first=3), "does not follow"),
        ([*entries([["1"]], first=4), *entries([["1"]], first=4)], "3-0 is missing"),
        ([*entries([["1"]], first=4), *entries([["1"]], first=6)], "5-0 is missing"),
    ],
)
async def test_only_entries_that_follow_are_archived(
    catalog: Catalog, made: list[JournalEntry], message: str
) -> None:
    await write(catalog, entries([["1"]] * 3))
    with pytest.raises(ValueError, match=message):
        await append(catalog, made, progress={}, owner={})


async def test_a_range_that_is_missing_does_not_end_the_chain(catalog: Catalog) -> None:
    written = [*entries([["1"]] * 2), *entries([["1"]] * 2, first=6)]
    await write(catalog, written[:2])
    await write(catalog, written[2:])
    assert await stored(catalog) == written
    assert [each.before for each in catalog.manifests] == [START, at(5)]


async def test_entries_that_a_failover_lost_stay_in_the_chain(catalog: Catalog) -> None:
    written = [
        *entries([["1"]] * 4),
        entry(5, ["2"], previous="2-0"),  # Redis had lost 3-0 and 4-0
        entry(6, ["2"]),
        entry(7, ["3"], previous="5-0"),
    ]
    await write(catalog, written, [4])
    assert await stored(catalog) == written
    assert [each.before for each in catalog.manifests] == [START, at(4)]


async def test_merged_segments_keep_the_chain(catalog: Catalog, store: ArchiveStore) -> None:
    written = entries([["1"]] * 9)
    await write(catalog, written, [2, 2, 2])
    chain, covered = catalog.chain, catalog.manifests[1:3]
    merged = await replace(catalog, covered, written[2:6])
    await delete(catalog, covered, replaced_by=merged)
    assert await stored(Catalog(store)) == written
    assert (catalog.chain, [each.count for each in catalog.manifests]) == (chain, [2, 4, 3])
    assert catalog.manifests[1] == merged
    assert await paths(store) == files(catalog)


async def test_an_erased_body_keeps_the_chain(catalog: Catalog, store: ArchiveStore) -> None:
    written = entries([["1"]] * 4)
    await write(catalog, written)
    covered = catalog.manifests
    blank = written[2]._replace(body=b'{"publishedAt":1,"erased":true}')
    erased = {"3-0": entry_hash(written[2])}
    key = Keypair.random()
    made = await replace(
        catalog, covered, [*written[:2], blank, written[3]], erased=erased, seed=key.secret
    )
    await delete(catalog, covered, replaced_by=made)
    assert await stored(Catalog(store)) == [*written[:2], blank, written[3]]
    assert made.erased == (at(3),)
    made.check_signature(key.public_key)
    assert await paths(store) == files(catalog)


async def test_other_entries_are_not_put_in_place_of_the_old_ones(catalog: Catalog) -> None:
    written = entries([["1"]] * 4)
    await write(catalog, written, [2])
    others = [written[:3], [*written[:3], written[3]._replace(body=b'{"publishedAt":1}')]]
    for each in others:
        with pytest.raises(DamagedArchiveError, match="do not give the chain hash"):
            await replace(catalog, catalog.manifests, each)
    assert await stored(catalog) == written


class BrokenStore(ArchiveStore):
    """A store that is away after so many writes or deletes."""

    left = 0

    async def put(self, path: str, data: bytes) -> None:
        self._count()
        await super().put(path, data)

    async def delete(self, path: str) -> None:
        self._count()
        await super().delete(path)

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise ArchiveUnavailableError("away")


@pytest.mark.parametrize("left", range(11))
async def test_a_merge_that_ends_anywhere_loses_nothing(
    catalog: Catalog, store: ArchiveStore, left: int
) -> None:
    written = entries([["1"]] * 9)
    await write(catalog, written, [2, 2, 2])
    broken = BrokenStore(store.url, "test")
    broken.left = left
    merging = Catalog(broken)
    await merging.refresh()
    covered = merging.manifests[:3]
    with pytest.raises(ArchiveUnavailableError):
        await delete(merging, covered, replaced_by=await replace(merging, covered, written[:6]))
    assert await stored(Catalog(store)) == written
