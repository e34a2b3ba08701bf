"""A journal made by real commits, and an archive of it in a folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from services.archiver.archiving import Archiving
from services.archiver.patience import PatientStore
from services.archiver.segments import read_segment
from services.archiver.settings import ArchiverSettings
from services.archiver.verification import check_catalog, check_segment
from shared.archive.catalog import Catalog
from shared.archive.store import ArchiveStore
from shared.domain import commands
from shared.domain.events import Event
from shared.domain.position import Position, journal_start
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.plan import StreamStates
from shared.journal.wire import JournalEntry
from shared.web.probes import Readiness
from tests.shared.samples import R2, TOKEN, TYPE, R, S, at, chain, created
from tests.support.redis_content import Content, content

BEGAN = journal_start(at(1).toid - 4096, 1 << 40)
SEED = "SAV76USXIJOBMEQXPANUOQM6F5LIOTLPDIDVRJBFFE2MDJXG24TAPUU7"
WITHDRAWN: dict[str, Any] = {"amount": "1", "recipient": R, "timestamp": 100}


class ChainCommits:
    """Commits chain events with progress, as an indexer does: two a ledger, from ledger 1 on."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys
        self._committer = Committer(redis, keys)
        self.ledger = 0

    async def commit(self, ledgers: int = 1) -> list[Position]:
        """Commit one transaction for each of the next ledgers."""
        positions = []
        for _ in range(ledgers):
            if not self.ledger:
                await self._begin()
            self.ledger += 1
            positions += await self._commit(self.ledger)
        return positions

    async def _begin(self) -> None:
        owner = {"network": "Test SDF Network ; September 2015", "contract": TOKEN}
        await self.redis.hset(self.keys.namespace_owner, mapping=owner)  # type: ignore[arg-type]
        progress = {"cursor": str(BEGAN.toid), "began": str(BEGAN)}
        await self._committer.record([], progress=progress)

    async def _commit(self, ledger: int) -> list[Position]:
        events = [created(str(ledger), at(ledger), recipient=R if ledger % 2 else R2)]
        if ledger > 1:
            stream_id, position = str(ledger - 1), at(ledger, 1)
            events.append(chain(TYPE.STREAM_WITHDRAWN, stream_id, position, **WITHDRAWN))
        progress = {"cursor": str(at(ledger).toid), "ledger": str(ledger)}
        progress |= {"closedAt": "2026-07-21T18:01:10Z"}
        return list((await self._committer.record(events, progress=progress)).positions)


async def create_stream(redis: Redis, keys: Keys, name: str, **metadata: object) -> str:
    """Create a stream as the API does. Returns the position of the event."""
    events = commands.create(
        stream_id=f"api-{name}",
        sender=S,
        recipient=R,
        token=TOKEN,
        rate=5,
        deposited=1000,
        start_time=100,
        now=100,
        metadata=metadata,
    )
    done = await Committer(redis, keys).change([f"api-{name}"], lambda _: events, fresh=True)
    return str(done.positions[-1])


async def pause_stream(redis: Redis, keys: Keys, name: str) -> str:
    """Pause a stream of the API. Returns the position of the event."""

    def decide(streams: StreamStates) -> list[Event]:
        stream = streams[f"api-{name}"]
        assert stream
        return commands.pause(stream, 150)

    done = await Committer(redis, keys).change([f"api-{name}"], decide)
    return str(done.positions[-1])


def store_in(folder: Path, keys: Keys) -> ArchiveStore:
    """The store of the archive in this folder."""
    return ArchiveStore(folder.as_uri(), keys.namespace)


def settings_of(redis_url: str, keys: Keys, folder: Path, **more: object) -> ArchiverSettings:
    """Settings of an archiver for this archive."""
    given: dict[str, object] = {
        "redis_url": redis_url,
        "namespace": keys.namespace,
        "contracts": f"{TOKEN}:stream",
        "archive_url": folder.as_uri(),
    }
    return ArchiverSettings.model_validate(given | more)


def archiving_in(redis: Redis, keys: Keys, store: ArchiveStore, **more: object) -> Archiving:
    """An archiving of the journal to this store, which a test starts."""
    given: dict[str, object] = {"segment_bytes": 10_000_000, "seconds": 10.0}
    patient = PatientStore(Readiness(), longest_wait=0.05)
    return Archiving(redis, keys, Catalog(store), patient, **given | more)  # type: ignore[arg-type]


async def archive(redis: Redis, keys: Keys, folder: Path, **more: object) -> Catalog:
    """Archive the journal up to its end, as one segment. Returns the catalog afterwards."""
    store = store_in(folder, keys)
    archiving = archiving_in(redis, keys, store, **more)
    await archiving.start()
    await archiving.archive_all()
    return await catalog_of(store)


async def three_segments(
    commits: ChainCommits, folder: Path, *, ledgers: int = 1, **more: object
) -> Catalog:
    """Three times commit events of so many ledgers, and archive them. Returns the catalog."""
    for _ in range(3):
        await commits.commit(ledgers)
        catalog = await archive(commits.redis, commits.keys, folder, **more)
    return catalog


async def catalog_of(store: ArchiveStore) -> Catalog:
    """A fresh catalog."""
    catalog = Catalog(store)
    await catalog.refresh()
    return catalog


async def namespace_content(redis: Redis, keys: Keys) -> Content:
    """The content of one namespace, without leases, epoch and mark."""
    others = (keys.lease, keys.fence, keys.archiver_lease, keys.epoch, keys.archive)
    found = await content(redis, f"headrace:{{{keys.namespace}}}:*")
    return {key: value for key, value in found.items() if key.decode() not in others}


async def empty(redis: Redis, keys: Keys) -> None:
    """Delete all keys of one namespace."""
    names = [name async for name in redis.scan_iter(f"headrace:{{{keys.namespace}}}:*", count=1000)]
    if names:
        await redis.delete(*names)


async def stop(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks until they have ended. redis-py loses cancellations (shared.runtime.tasks)."""
    while not all(task.done() for task in tasks):
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=0.01)


@asynccontextmanager
async def at_work(archiving: Archiving) -> AsyncIterator[None]:
    """Run an archiving, and cancel it at the end."""
    await archiving.start()
    task = asyncio.create_task(archiving.run())
    try:
        yield
    finally:
        await stop(task)


async def archived(store: ArchiveStore) -> list[JournalEntry]:
    """All entries of an archive, after a check that verify would find nothing."""
    catalog = await catalog_of(store)
    assert list(check_catalog(catalog.manifests, whole=True)) == []
    entries: list[JournalEntry] = []
    for manifest in catalog.manifests:
        some, erased = await read_segment(store, manifest)
        assert list(check_segment(manifest, some, erased)) == []
        entries += some
    return entries
