"""Writing segments: first the file, then the topic index, then the manifest.

The manifest makes a segment a part of the archive. A writer that ends before leaves two files that
nobody reads.

See docs/decisions/0119-the-chain-runs-over-entries.md.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise

import orjson

from shared.archive.catalog import Catalog, manifest_path
from shared.archive.errors import AlreadyArchivedError, DamagedArchiveError
from shared.archive.hashes import chain_of, entry_hash
from shared.archive.manifest import Manifest
from shared.archive.segment import encode_segment
from shared.archive.topic_filter import build_filter
from shared.archive.topic_rows import encode_index, topics_in
from shared.domain.position import START, Position, parse_position
from shared.journal.wire import JournalEntry

_FOLDER = "segments"
_QUICK, _SMALL = 3, 9
"""The levels of zstd: for new segments, and for merged ones, which are written once a day."""


@dataclass(frozen=True, slots=True)
class EncodedSegment:
    """A segment that is ready to be written."""

    manifest: Manifest
    file: bytes
    index: bytes


def encode(
    entries: Sequence[JournalEntry],
    chain_before: bytes,
    *,
    before: Position = START,
    erased: Mapping[str, bytes] | None = None,
    level: int = _QUICK,
) -> EncodedSegment:
    """The files and the manifest of a segment. Takes seconds for a large one: run it in a thread.

    `before`: the end of the segment before it. If Redis lost events in a failover, the first entry
    can name an earlier one as its previous. Raises ValueError if an entry is missing between these
    entries, or if there is none.
    """
    check_whole(entries)
    erased = erased or {}
    file, index = encode_segment(entries, erased, level=level), encode_index(entries)
    first, last = orjson.loads(entries[0].body), orjson.loads(entries[-1].body)
    before = max(before, parse_position(entries[0].previous))
    end = parse_position(entries[-1].position)
    digest = sha256(file).hexdigest()
    name = f"{_FOLDER}/{before.padded}-{end.padded}-{digest[:8]}"
    hashes = (erased.get(each.position) or entry_hash(each) for each in entries)
    manifest = Manifest(
        before=before,
        first=parse_position(entries[0].position),
        last=end,
        count=len(entries),
        size=len(file),
        file=f"{name}.parquet",
        sha256=digest,
        index=f"{name}.index.parquet",
        index_sha256=sha256(index).hexdigest(),
        index_size=len(index),
        chain_before=chain_before.hex(),
        chain=chain_of(chain_before, hashes).hex(),
        first_published=first["publishedAt"],
        last_published=last["publishedAt"],
        first_ledger=first.get("ledger"),
        last_ledger=last.get("ledger"),
        topics=build_filter(topics_in(entries)),
        erased=tuple(sorted(map(parse_position, erased))),
    )
    return EncodedSegment(manifest, file, index)


def check_whole(entries: Sequence[JournalEntry]) -> None:
    """Raises ValueError if there is no entry, or if one is missing between these entries.

    An entry may name an earlier previous one than the entry before it: then Redis had lost the
    entries in between, but the archive has them.
    """
    if not entries:
        raise ValueError("a segment needs at least one entry")
    for one, other in pairwise(entries):
        if other.previous == one.position:
            continue
        before, position = parse_position(one.position), parse_position(other.position)
        if not parse_position(other.previous) < before < position:
            raise ValueError(f"{other.previous} is missing: {one.position}, then {other.position}")


async def append(
    catalog: Catalog,
    entries: Sequence[JournalEntry],
    *,
    progress: Mapping[str, str],
    owner: Mapping[str, str],
    seed: str | None = None,
) -> Manifest:
    """Write these entries, oldest first, as the segment after the newest one.

    The first entry can leave a gap to the archive's end, but must not be at or below it. Raises
    ValueError, AlreadyArchivedError if another archiver was faster, ArchiveUnavailableError, also
    if the newest segment is not there any more.
    """
    if entries and parse_position(entries[0].position) <= catalog.end:
        raise ValueError(f"{entries[0].position} does not follow the archive's end {catalog.end}")
    await catalog.check_newest()
    made = await asyncio.to_thread(encode, entries, catalog.chain, before=catalog.end)
    manifest = dataclasses.replace(made.manifest, progress=progress, owner=owner).signed(seed)
    await _write_files(catalog, made)
    await _create(catalog, manifest)
    catalog.add(manifest)
    return manifest


async def replace(
    catalog: Catalog,
    covered: Sequence[Manifest],
    entries: Sequence[JournalEntry],
    *,
    erased: Mapping[str, bytes] | None = None,
    seed: str | None = None,
) -> Manifest:
    """Write one segment in place of the covered ones, which follow each other.

    The covered segments stay in the store, but nobody reads them: call `delete` later. `entries`
    are all their entries. `erased` has the hash of the original entry for each position whose body
    was replaced, now or earlier. Raises DamagedArchiveError, before anything is written, if the
    chain hash would change.
    """
    first, last = covered[0], covered[-1]
    before = bytes.fromhex(first.chain_before)
    made = await asyncio.to_thread(
        encode, entries, before, before=first.before, erased=erased, level=_SMALL
    )
    if (made.manifest.before, made.manifest.chain) != (first.before, last.chain):
        raise DamagedArchiveError(
            f"the entries do not give the chain hash of the segments {first.before} to {last.last}"
        )
    known = dataclasses.replace(made.manifest, progress=last.progress, owner=last.owner)
    manifest = known.signed(seed)
    await _write_files(catalog, made)
    await catalog.store.put(manifest_path(manifest.before), manifest.encode())
    catalog.add(manifest)
    return manifest


async def _create(catalog: Catalog, manifest: Manifest) -> None:
    path, encoded = manifest_path(manifest.before), manifest.encode()
    try:
        await catalog.store.create(path, encoded)
    except AlreadyArchivedError:  # perhaps by us: an answer of the store was lost
        if await catalog.store.get(path) != encoded:
            raise


async def _write_files(catalog: Catalog, made: EncodedSegment) -> None:
    await catalog.store.put(made.manifest.file, made.file)
    await catalog.store.put(made.manifest.index, made.index)


async def delete(
    catalog: Catalog, segments: Sequence[Manifest], *, replaced_by: Manifest | None = None
) -> None:
    """Delete segments, but nothing that belongs to the segment that replaces them.

    The manifests go first: a segment without a manifest is read by nobody.
    """
    kept = replaced_by
    for each in segments:
        if not kept or each.before != kept.before:
            await catalog.store.delete(manifest_path(each.before))
    for path in dict.fromkeys(path for each in segments for path in (each.file, each.index)):
        if not kept or path not in (kept.file, kept.index):
            await catalog.store.delete(path)
