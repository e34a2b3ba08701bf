"""Reading entries of one segment. These functions block: they run in threads.

A segment is read in parts: its footer, then one row group of its topic index, then the columns of
the row groups with the entries. Footers are kept in memory.

See docs/decisions/0120-segments-are-parquet.md.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shared.archive.blocks import BlockCache, CachedFile
from shared.archive.errors import DamagedArchiveError
from shared.archive.manifest import Manifest
from shared.archive.segment import ENTRY_COLUMNS, decode_entries
from shared.archive.store import ArchiveStore
from shared.domain.position import Position
from shared.journal.topic_index import BROADCASTS
from shared.journal.wire import JournalEntry

_BATCH = 512
"""Entries that are decoded at once."""
_FOOTERS = 256
"""How many footers are kept, about 20 KB each."""


class Selection(NamedTuple):
    """Which entries: between two positions (both excluded), of these topics (None: of all)."""

    after: Position
    before: Position
    topics: Collection[str] | None = None


@dataclass(slots=True)
class Budget:
    """How many entries, and about how many bytes of bodies, may still be read."""

    entries: int
    size: int

    @property
    def spent(self) -> bool:
        """True when nothing more may be read."""
        return self.entries <= 0 or self.size <= 0

    def spend(self, sizes: Iterable[int]) -> int:
        """Subtract entries with bodies of these sizes, until it is spent. Returns how many."""
        count = 0
        for size in sizes:
            if self.spent:
                break
            count += 1
            self.entries -= 1
            self.size -= size
        return count


class SegmentReader:
    """Reads entries of the segments in a store. Safe to use from threads."""

    def __init__(self, store: ArchiveStore, cache: BlockCache | None) -> None:
        self._store = store
        self._cache = None if store.local else cache
        self._footers: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()

    def read(
        self, manifest: Manifest, wanted: Selection, budget: Budget, *, newest_first: bool = False
    ) -> list[JournalEntry]:
        """The next entries of a segment, within the budget, which is spent.

        If the budget is not spent afterwards, there are no more. Raises ArchiveUnavailableError,
        NotInArchiveError, DamagedArchiveError.
        """
        groups = self._groups_of(manifest, wanted.topics) if wanted.topics is not None else None
        if groups == set():
            return []
        entries: list[JournalEntry] = []
        with self._open(manifest.file, manifest.sha256, manifest.size) as file:
            numbers = range(file.metadata.num_row_groups)
            for n in reversed(numbers) if newest_first else numbers:
                if budget.spent:
                    break
                if (groups is None or n in groups) and _overlaps(
                    file.metadata.row_group(n), wanted
                ):
                    entries += _entries(file, n, wanted, budget, newest_first=newest_first)
        return entries

    def forget_others(self, manifests: Collection[Manifest]) -> None:
        """Delete what is cached of files that these segments do not have."""
        if self._cache:
            self._cache.keep_only({n for m in manifests for n in (m.sha256, m.index_sha256)})

    def _groups_of(self, manifest: Manifest, topics: Collection[str]) -> set[int]:
        """The row groups that have events of one of these topics, as the topic index says."""
        found: set[int] = set()
        with self._open(manifest.index, manifest.index_sha256, manifest.index_size) as file:
            ranges = [_range(file.metadata.row_group(n), 0) for n in range(file.num_row_groups)]
            near = [
                n for n, (low, high) in enumerate(ranges) if any(low <= t <= high for t in topics)
            ]
            for n in near:
                rows = file.read_row_group(n, use_threads=False)
                hits = pc.is_in(rows.column("topic"), value_set=pa.array(topics, pa.string()))
                found |= set(rows.column("row_group").filter(hits).to_pylist())
        return found

    @contextmanager
    def _open(self, path: str, name: str, size: int) -> Iterator[Any]:
        source = CachedFile(partial(self._store.range_in_thread, path), name, size, self._cache)
        try:
            with self._parquet(source, name) as file:
                yield file
        except (pa.ArrowException, OSError) as error:
            raise DamagedArchiveError(f"{path} in {self._store.url} is damaged: {error}") from error

    def _parquet(self, source: CachedFile, name: str) -> Any:
        with self._lock:
            footer = self._footers.get(name)
        file = pq.ParquetFile(source, metadata=footer, page_checksum_verification=True)
        with self._lock:
            self._footers[name] = file.metadata
            self._footers.move_to_end(name)
            if len(self._footers) > _FOOTERS:
                self._footers.popitem(last=False)
        return file


def _range(group: Any, column: int) -> tuple[Any, Any]:
    statistics = group.column(column).statistics
    return statistics.min, statistics.max


def _overlaps(group: Any, wanted: Selection) -> bool:
    """False if no entry of the row group is between the positions. True can be wrong."""
    (low, high), (least, most) = _range(group, 0), _range(group, 1)
    return wanted.after < Position(high, most) and Position(low, least) < wanted.before


def _entries(
    file: Any, group: int, wanted: Selection, budget: Budget, *, newest_first: bool
) -> list[JournalEntry]:
    rows = _rows(file, group, wanted)
    rows = rows[-budget.entries :] if newest_first else rows[: budget.entries]
    entries: list[JournalEntry] = []
    first = 0
    batches = file.iter_batches(_BATCH, [group], [*ENTRY_COLUMNS], use_threads=False)
    for batch in batches:
        if first > (rows[-1] if rows else -1) or (budget.spent and not newest_first):
            break
        here = [row - first for row in rows if first <= row < first + batch.num_rows]
        first += batch.num_rows
        if here:
            found = batch.take(pa.array(here))
            sizes = pc.binary_length(found.column("body")).to_pylist()
            entries += decode_entries(found.slice(0, budget.spend(sizes)))
    return entries[::-1] if newest_first else entries


def _rows(file: Any, group: int, wanted: Selection) -> list[int]:
    """The numbers of the wanted rows in a row group, ascending."""
    names = ["toid", "n"] if wanted.topics is None else ["toid", "n", "topics"]
    rows = file.read_row_group(group, columns=names, use_threads=False).combine_chunks()
    toid, n = rows.column("toid"), rows.column("n")
    after, before = wanted.after, wanted.before
    late = pc.or_(pc.greater(toid, _u64(after.toid)), _same(toid, n, after, pc.greater))
    early = pc.or_(pc.less(toid, _u64(before.toid)), _same(toid, n, before, pc.less))
    found: list[int] = pc.indices_nonzero(pc.and_(late, early)).to_pylist()
    if wanted.topics is None:
        return found
    concerned = _concerned(rows.column("topics").combine_chunks(), wanted.topics)
    return [row for row in found if row in concerned]


def _same(toid: Any, n: Any, position: Position, compare: Any) -> Any:
    return pc.and_(pc.equal(toid, _u64(position.toid)), compare(n, _u64(position.n)))


def _u64(number: int) -> Any:
    return pa.scalar(number, pa.uint64())


def _concerned(lists: Any, topics: Collection[str]) -> set[int]:
    hits = pc.is_in(pc.list_flatten(lists), value_set=pa.array(topics, pa.string()))
    rows = set(pc.list_parent_indices(lists).filter(hits).to_pylist())
    if BROADCASTS in topics:
        empty = pc.equal(pc.list_value_length(lists), 0)
        rows |= set(pc.indices_nonzero(empty).to_pylist())
    return rows
