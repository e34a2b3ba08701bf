"""The archive: how fast events are archived, how much space they take, how soon a resume begins.

The events are real bodies of 1.4 KB with the state of their stream. Each has a transaction of its
own with a random hash, which no compression makes smaller: 32 bytes in the body, and 32 in the
column for other tools.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from shared.archive.catalog import Catalog
from shared.archive.manifest import Manifest
from shared.archive.reader import ArchiveReader
from shared.archive.segment import decode_segment
from shared.archive.store import ArchiveStore
from shared.archive.writer import append, replace
from shared.domain.position import END, START, Position
from shared.journal.reader import JournalPage
from shared.journal.wire import JournalEntry
from tests.bench.environment import BenchEnvironment
from tests.bench.rows import Row, row
from tests.shared.archive.entries import EntrySource

_SEGMENT = 50_000
_DIFFERENT = 10_000
"""So many events are made; the others are copies at another place. They are 14 MB apart."""

OWNER = {"network": "Test SDF Network ; September 2015", "contract": "C"}


class Load(NamedTuple):
    """How many events, of how many streams between how many accounts."""

    events: int = 300_000
    streams: int = 1_000
    accounts: int = 2_000


def rare(n: int) -> str:
    """The topic of an account that has one event in segment `n`, and none elsewhere."""
    return f"user:RARE{n:052}"


def segments(load: Load) -> Iterator[list[JournalEntry]]:
    """The events of `load`, 50,000 at a time; the last of each is of a rare account too."""
    source = EntrySource(load.streams, load.accounts)
    source.take(load.streams)
    made, chance = source.take(_DIFFERENT), random.Random(7)
    ledgers = 1 + (int(made[-1].position.split("-")[0]) >> 32) - _ledger(made[0])
    previous = made[0].previous
    for number in range(load.events // _SEGMENT):
        part: list[JournalEntry] = []
        for copy in range(_SEGMENT // _DIFFERENT):
            shift = (number * _SEGMENT // _DIFFERENT + copy) * ledgers
            for each in made:
                part.append(_moved(each, shift, previous, chance.randbytes(32).hex()))
                previous = part[-1].position
        part[-1] = part[-1]._replace(topics=(*part[-1].topics, rare(number)))
        yield part


def _ledger(entry: JournalEntry) -> int:
    return int(entry.position.split("-")[0]) >> 32


def _moved(entry: JournalEntry, shift: int, previous: str, tx_hash: str) -> JournalEntry:
    """The entry, `shift` ledgers later and with another transaction hash."""
    toid, _, n = entry.position.partition("-")
    position = f"{int(toid) + (shift << 32)}-{n}"
    start = entry.body.index(b'"txHash":"') + 10
    body = entry.body[:start] + tx_hash.encode() + entry.body[start + 64 :]
    body = body.replace(entry.position.encode(), position.encode())
    ledger = _ledger(entry)
    body = body.replace(b'"ledger":%d' % ledger, b'"ledger":%d' % (ledger + shift))
    return JournalEntry(position, previous, entry.type, entry.topics, body)


async def archive(env: BenchEnvironment) -> list[Row]:
    """Archive events, merge them, and resume accounts that have one event each."""
    return await _measure(env, Load())


async def archive_large(env: BenchEnvironment) -> list[Row]:
    """The same with ten million events. It takes minutes and 2 GB of disk."""
    return await _measure(env, Load(10_000_000, streams=10_000, accounts=20_000))


async def _measure(env: BenchEnvironment, load: Load) -> list[Row]:
    """The rows of a load."""
    folder = env.folder / "archive"
    store = ArchiveStore(f"file://{folder}", "bench")
    catalog = Catalog(store)
    rates = []
    for part in segments(load):
        began = time.process_time()
        await append(catalog, part, progress={}, owner=OWNER)
        rates.append(len(part) / (time.process_time() - began))
    sizes = _bytes_of_an_event(catalog.manifests)
    resumes = await _resumes(store, folder, load.events // _SEGMENT, max(env.runs, 2) * 40)
    merged = await _merge(catalog)
    return [
        row("rate", "events archived, each core", "/s", rates, 20_000, better="higher"),
        row("bytes", "an event in the store", "B", [sizes], 200),
        row("merged", "… in a merged segment", "B", [merged], 200),
        row("resume", "resume of an account → first event, p99", "ms", [resumes], 1_000),
    ]


def _bytes_of_an_event(manifests: Sequence[Manifest]) -> float:
    whole = sum(m.size + m.index_size + len(m.encode()) for m in manifests)
    return whole / sum(m.count for m in manifests)


async def _resumes(store: ArchiveStore, folder: Path, accounts: int, count: int) -> float:
    """The 99th percentile in milliseconds. Nothing was read before, and all is on the disk."""
    catalog = Catalog(store)
    await catalog.refresh()
    times = []
    for n in range(count):
        reader = ArchiveReader(catalog)
        _drop_from_memory(folder)
        began = time.monotonic()
        await _first(reader, rare(n % accounts))
        times.append(time.monotonic() - began)
    return 1_000 * sorted(times)[int(count * 0.99) - 1]


def _drop_from_memory(folder: Path) -> None:
    """Ask Linux to forget what it has read of these files, so that the disk is read."""
    for path in folder.rglob("*.*"):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


async def _first(reader: ArchiveReader, topic: str) -> JournalEntry:
    position: Position = START._replace(n=0)
    while isinstance(page := await reader.of_topics([topic], position, END, 500), JournalPage):
        if page.entries:
            return page.entries[0]
        position = page.end
    raise AssertionError(f"no event of {topic}")


async def _merge(catalog: Catalog) -> float:
    covered = catalog.manifests[:2]
    files = [decode_segment(await catalog.store.get(each.file))[0] for each in covered]
    return _bytes_of_an_event([await replace(catalog, covered, [e for f in files for e in f])])
