"""Fills an empty namespace from the archive.

The segments are read twice. First all, newest first: the last event of each stream has the stream's
document. Then the newest ones again, oldest first, for the journal.

See docs/decisions/0122-restore-brings-the-journal-back.md,
docs/decisions/0126-a-restore-can-leave-out-damage.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import orjson
from redis.asyncio import Redis

from services.archiver.damage import Damage
from services.archiver.journal_tail import JournalTail
from services.archiver.segments import read_segment
from shared.archive.catalog import Catalog
from shared.archive.errors import DamagedArchiveError, NotInArchiveError
from shared.archive.manifest import Manifest
from shared.journal.keys import Keys
from shared.journal.plan import Retention
from shared.journal.rebuilding import NamespaceWriter, TopicMembers
from shared.journal.wire import JournalEntry

_BATCH = 1_000
_AHEAD = 4
"""So many batches are read ahead."""
_COLLECTED = 500_000
"""So many members of the sets of topics are collected before they are written: about 60 MB."""
_REPORTED = 20_000

T = TypeVar("T")

_Batch = Sequence[JournalEntry]
"""Entries that are written by one call. Without any: there are no more."""

Report = Callable[[str], None]
"""Gets a line about the progress of the restore."""


class Restoring:
    """Writes the streams and the journal of an archive, whose catalog is fresh.

    `damage`: gets the damaged segments, which are left out. None: the first one ends the restore.
    After `run`, `streams` and `tail.count` are the numbers of streams and entries, and `stale` has
    the ids of the streams that may have had later events in damaged segments.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        catalog: Catalog,
        retention: Retention,
        report: Report,
        *,
        damage: Damage | None = None,
    ) -> None:
        self.streams = 0
        self.stale: list[str] = []
        self.tail = JournalTail(retention)
        self._store = catalog.store
        self._manifests = catalog.manifests
        self._writer = NamespaceWriter(redis, keys)
        self._report = report
        self._damage = damage
        self._seen: set[str] = set()

    async def run(self) -> None:
        """Write everything. Raises ArchiveError and redis-py's errors."""
        await self._write_streams()
        if self._damage and all(each in self._damage for each in self._manifests):
            raise DamagedArchiveError("no segment of the archive can be read")
        await self._write_journal()

    async def _write_streams(self) -> None:
        later: Manifest | None = None
        for n in reversed(range(len(self._manifests))):
            manifest = self._manifests[n]
            if (entries := await self._read(manifest)) is None:
                continue
            if later and later.before > manifest.last:
                self.tail.end()
            later = manifest
            self.tail.saw(n, entries)
            documents = list(self._new_documents(entries))
            for batch in _batches(documents):
                await self._writer.write_streams(batch)
            self.streams += len(documents)
            self._report(f"{self.streams} streams, {n} segments left to read")

    async def _read(self, manifest: Manifest) -> Sequence[JournalEntry] | None:
        """The entries of a segment; None if it is left out."""
        try:
            entries, _ = await read_segment(self._store, manifest)
        except (DamagedArchiveError, NotInArchiveError) as error:
            if self._damage is None:
                raise DamagedArchiveError(
                    f"{error}. It has {manifest.count} events after {manifest.before} up to "
                    f"{manifest.last}"
                ) from error
            self._damage.add_segment(manifest, error)
            return None
        return entries

    def _new_documents(self, entries: Sequence[JournalEntry]) -> Iterator[bytes]:
        """The documents of the streams that no later event has."""
        for entry in reversed(entries):
            if has_document(entry) and entry.topics[0] not in self._seen:
                self._seen.add(entry.topics[0])
                if self._damage and self._damage.may_have(entry.topics[0]):
                    self.stale.append(entry.topics[0])
                yield orjson.dumps(orjson.loads(entry.body)["stream"])

    async def _write_journal(self) -> None:
        """Read the next entries while Redis writes the previous ones."""
        journal, topics = asyncio.Queue[_Batch](_AHEAD), asyncio.Queue[_Batch](_AHEAD)
        await asyncio.gather(
            self._read_tail(journal, topics), self._append(journal), self._add_to_topics(topics)
        )

    async def _read_tail(self, *queues: asyncio.Queue[_Batch]) -> None:
        """Put all entries of the journal into each queue, and an empty batch at the end."""
        skipped = self.tail.skipped
        for manifest in self._manifests[self.tail.segment :]:
            if self._damage and manifest in self._damage:
                continue
            entries, _ = await read_segment(self._store, manifest)
            for batch in _batches(entries[skipped:]):
                for queue in queues:
                    await queue.put(batch)
            skipped = 0
        for queue in queues:
            await queue.put([])

    async def _append(self, queue: asyncio.Queue[_Batch]) -> None:
        written, total = 0, self.tail.before
        while batch := await queue.get():
            total = await self._writer.write_entries(batch, total)
            written += len(batch)
            if written % _REPORTED == 0 or written == self.tail.count:
                self._report(f"{written} of {self.tail.count} events")

    async def _add_to_topics(self, queue: asyncio.Queue[_Batch]) -> None:
        collected = TopicMembers()
        while batch := await queue.get():
            collected.add(batch)
            if collected.size >= _COLLECTED:
                await self._writer.write_topics(collected)
                collected = TopicMembers()
        await self._writer.write_topics(collected)


def has_document(entry: JournalEntry) -> bool:
    """True if the event ends with the document of its stream, which ends with a position.

    Without a document the last field is `origin` or `verified`, which are no objects.
    """
    return bool(entry.topics) and entry.body.endswith(b'"}}')


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for n in range(0, len(items), _BATCH):
        yield items[n : n + _BATCH]
