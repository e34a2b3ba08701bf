"""Merging small segments into larger ones: one for each day, or several if the day is large.

A merge writes the new segment, and overwrites the manifest of the first one. Nothing is deleted
here: readers ignore the covered manifests, and the sweep deletes them later (sweeping.py).

See docs/decisions/0119-the-chain-runs-over-entries.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import groupby

import structlog

from services.archiver import metrics
from services.archiver.segments import read_segment
from shared.archive import writer
from shared.archive.catalog import Catalog
from shared.archive.manifest import Manifest
from shared.journal.wire import JournalEntry

log = structlog.get_logger()

MOST_BYTES = 32 << 20
"""A merged segment has about at most this size: all its entries are in memory at once."""
_SMALL_BYTES = 1 << 20
_MANY = 60
"""So many small segments of the present day are merged, because readers list all manifests."""
DAY = 86_400_000_000
"""Microseconds."""


def runs_to_merge(manifests: Sequence[Manifest], today: int) -> Iterator[Sequence[Manifest]]:
    """Segments that follow each other without a gap, to be merged into one each. Pure.

    `today`: the number of the present day since 1970. Its segments are merged only if there are
    many small ones.
    """
    for day, segments in groupby(manifests, key=lambda each: each.first_published // DAY):
        for run in _runs(list(segments)):
            if len(run) > 1 and (day < today or _has_many(run)):
                yield run


def _runs(segments: Sequence[Manifest]) -> Iterator[Sequence[Manifest]]:
    """Cut where events are missing in between, and where a run would be larger than MOST_BYTES."""
    run: list[Manifest] = []
    for each in segments:
        size = each.size + sum(other.size for other in run)
        if run and (each.before != run[-1].last or size > MOST_BYTES):
            yield run
            run = []
        run.append(each)
    yield run


def _has_many(run: Sequence[Manifest]) -> bool:
    return sum(each.size < _SMALL_BYTES for each in run) >= _MANY


async def merge(catalog: Catalog, run: Sequence[Manifest], *, seed: str | None) -> Manifest:
    """Write one segment in place of these. Raises DamagedArchiveError, ArchiveUnavailableError."""
    entries: list[JournalEntry] = []
    erased: dict[str, bytes] = {}
    for each in run:
        some, hashes = await read_segment(catalog.store, each)
        entries += some
        erased |= hashes
    merged = await writer.replace(catalog, run, entries, erased=erased, seed=seed)
    metrics.MERGED.inc(len(run))
    log.info("segments_merged", count=len(run), before=str(merged.before), last=str(merged.last))
    return merged


async def merge_all(catalog: Catalog, now: float, *, seed: str | None) -> None:
    """Merge what is to be merged at `now` (Unix seconds). Refresh the catalog before."""
    today = int(now * 1_000_000) // DAY
    for run in list(runs_to_merge(catalog.manifests, today)):
        await merge(catalog, run, seed=seed)
        await asyncio.sleep(0)
