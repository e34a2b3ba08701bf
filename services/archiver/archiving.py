"""The archiving: reads the journal to its end, again and again, and writes it as segments.

The archive continues after its last position. It is the truth: Redis may lose everything, and the
archiver then continues when the journal is above that position again. If the journal lacks entries
after the archive's end, they are missing for ever: the archive has a gap, and the chain goes on.

See docs/decisions/0119-the-chain-runs-over-entries.md,
docs/decisions/0121-journal-is-not-trimmed-past-the-archive.md.
"""

from __future__ import annotations

import asyncio

import orjson
import structlog
from redis.asyncio import Redis

from services.archiver import metrics
from services.archiver.buffer import SegmentBuffer
from services.archiver.errors import ForeignArchiveError
from services.archiver.patience import PatientStore
from services.archiver.progress_note import Progress, write_note
from services.archiver.store_check import refresh_whole
from shared.archive import writer
from shared.archive.catalog import Catalog
from shared.archive.errors import AlreadyArchivedError
from shared.archive.manifest import Manifest
from shared.archive.mark import mark_now, read_mark
from shared.domain.position import START, Position
from shared.journal.keys import Keys
from shared.journal.namespace import read_owner
from shared.journal.progress import read_fields
from shared.journal.reader import Journal, JournalGap, JournalPage, NoNewEvents

log = structlog.get_logger()

_PAGE = 1_000
_POLL_SECONDS = 0.25
_NOTE_SECONDS = 60.0


class Archiving:
    """Appends to the archive of one namespace."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        catalog: Catalog,
        store: PatientStore,
        *,
        segment_bytes: int,
        seconds: float,
        seed: str | None = None,
        token: str | None = None,
    ) -> None:
        """`token`: that of the lease. None if this process holds the lease for sure."""
        self._token = token
        self._redis = redis
        self._keys = keys
        self._journal = Journal(redis, keys)
        self._catalog = catalog
        self._store = store
        self._seed = seed
        self._buffer = SegmentBuffer(limit=segment_bytes, seconds=seconds)
        self._noted_at = -_NOTE_SECONDS
        self._poll_seconds = min(_POLL_SECONDS, seconds / 4)

    async def start(self) -> None:
        """Read the catalog and continue at its end. Raises ForeignArchiveError."""
        await self._store.call(self._read_catalog)
        await self._check_owner()
        self._buffer.start(self._catalog.end)
        await self.keep_mark()
        log.info("archiving", after=str(self._catalog.end), segments=len(self._catalog.manifests))

    async def _read_catalog(self) -> None:
        await refresh_whole(self._catalog, await read_mark(self._redis, self._keys))

    async def run(self) -> None:
        """Archive until cancelled. Raises redis-py's errors. Call `start` before."""
        loop = asyncio.get_running_loop()
        while True:
            at_tip = await self._read(loop.time())
            if self._buffer.is_due(loop.time()):
                await self._write()
            elif at_tip:
                await self._note_progress(loop.time())
                await asyncio.sleep(self._poll_seconds)

    async def archive_all(self) -> None:
        """Archive the journal up to its present end. Call `start` before."""
        while not await self._read(0.0):
            await self.flush()
        await self.flush()

    async def flush(self) -> None:
        """Write what was read, because this archiver stops."""
        if self._buffer.entries:
            await self._write()

    async def keep_mark(self) -> None:
        """Write the mark: everything up to the archive's end is archived."""
        end, chain = self._catalog.end, self._catalog.chain
        metrics.LEDGER.set(end.ledger)
        await mark_now(self._redis, self._keys, end, chain, token=self._token)

    def forget_archived(self, position: Position) -> None:
        """Another archiver has archived everything up to this position."""
        if position >= self._buffer.end:
            self._buffer.start(position)

    @property
    def oldest(self) -> float | None:
        """When the oldest event in the buffer was committed, in Unix seconds; None if none is."""
        entries = self._buffer.entries
        return orjson.loads(entries[0].body)["publishedAt"] / 1e6 if entries else None

    async def _read(self, now: float) -> bool:
        """Read the journal until its end or until the buffer is full. True at the end."""
        buffer = self._buffer
        progress = await read_fields(self._redis, self._keys)  # before the journal's end
        while not buffer.is_full:
            match await self._journal.after(buffer.end, _PAGE):
                case NoNewEvents():
                    buffer.reached_tip(progress)
                    return True
                case JournalGap(resumes_after):
                    if buffer.entries:
                        await self._write()
                    self._skip_to(resumes_after)
                case JournalPage(entries, more):
                    buffer.add(entries, now)
                    if not more:
                        buffer.reached_tip(progress)
                        return True
        return False

    def _skip_to(self, position: Position) -> None:
        """Continue after a gap. Before the first event of an archive there is none."""
        after = self._buffer.end
        self._buffer.start(position)
        if after > START:
            metrics.ALARM.labels("gap").set(1)
            meaning = "events in between are in neither the archive nor the journal"
            log.error("archive_gap", after=str(after), to=str(position), meaning=meaning)

    async def _write(self) -> None:
        """Write the buffer as a segment. If another archiver was faster, continue after it."""
        try:
            manifest = await self._store.call(self._append)
        except AlreadyArchivedError:
            await self._store.call(self._catalog.refresh)
            log.warning("archived_by_another", end=str(self._catalog.end))
            self._buffer.start(self._catalog.end)
        else:
            metrics.EVENTS.inc(manifest.count)
            metrics.SEGMENTS.inc()
            metrics.BYTES.inc(manifest.size)
            metrics.WRITTEN.set_to_current_time()
            self._buffer.written(manifest.size)
        await self.keep_mark()

    async def _append(self) -> Manifest:
        buffer = self._buffer
        return await writer.append(
            self._catalog,
            buffer.entries,
            progress=buffer.progress,
            owner=await read_owner(self._redis, self._keys),
            seed=self._seed,
        )

    async def _note_progress(self, now: float) -> None:
        """Once a minute, while everything is archived, store how far the source was read."""
        progress = self._buffer.progress
        if self._buffer.entries or not progress or now < self._noted_at + _NOTE_SECONDS:
            return
        end, self._noted_at = self._catalog.end, now
        await self._store.call(lambda: self._write_note(end, progress))

    async def _write_note(self, end: Position, progress: Progress) -> None:
        await self._catalog.check_newest()
        await write_note(self._catalog.store, end, progress)

    async def _check_owner(self) -> None:
        """Refuse an archive whose events are from another network or contract."""
        last, own = self._catalog.last, await read_owner(self._redis, self._keys)
        theirs = last.owner if last else {}
        for name in ("network", "contract"):
            if own.get(name) and theirs.get(name) and own[name] != theirs[name]:
                raise ForeignArchiveError(
                    f"the archive of {self._keys.namespace} has events of {name} {theirs[name]!r}, "
                    f"but Redis those of {own[name]!r}: correct ARCHIVE_URL, or set another "
                    "NAMESPACE"
                )
