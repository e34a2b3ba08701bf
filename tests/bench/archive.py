"""The archive: how fast events are archived, how much space they take, how soon a resume begins.

The events are real bodies of 1.4 KB with the state of their stream. Each has a transaction of its
own with a random hash, which no compression makes smaller: 32 bytes in the body, and 32 in the
column for other tools.
"""

from __future__ import annotations

import itertools
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
from tests.bench.processes import milliseconds
from tests.bench.rows import Row, row
from tests.shared.archive.entries import EntrySource

SEGMENT = 50_000
DIFFERENT = 10_000
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
    copied = copies(source.take(DIFFERENT))
    for number in range(load.events // SEGMENT):
        part = [each for _ in range(SEGMENT // DIFFERENT) for each in next(copied)]
        part[-1] = part[-1]._replace(topics=(*part[-1].topics, rare(number)))
        yield part


def copies(made: Sequence[JournalEntry]) -> Iterator[list[JournalEntry]]:
    """These entries, then copies of them in later ledgers, for ever. All follow each other."""
    chance = random.Random(7)
    ledgers = 1 + _ledger(made[-1]) - _ledger(made[0])
    previous = made[0].previous
    for number in itertools.count():
        part: list[JournalEntry] = []
        for each in made:
            part.append(_moved(each, number * ledgers, previous, chance.randbytes(32).hex()))
            previous = part[-1].position
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
    load = Load()
    catalog, rates = await _archived(env, load)
    size = _bytes_of_an_event(catalog.manifests)
    resume = await _resume(env, load)
    merged = await _merge(catalog)
    return [
        row("rate", "events archived, each core", "/s", rates, 20_000, better="higher"),
        row("bytes", "an event in the store", "B", [size], 200),
        row("merged", "… in a merged segment", "B", [merged], 200),
        resume,
    ]


async def archive_large(env: BenchEnvironment) -> list[Row]:
    """Resume among ten million events, whose accounts seldom repeat. It takes minutes, and 3 GB."""
    load = Load(10_000_000, streams=10_000, accounts=20_000)
    catalog, _ = await _archived(env, load)
    size = _bytes_of_an_event(catalog.manifests)
    return [
        await _resume(env, load),
        row("events", "… events in the archive", "", [sum(m.count for m in catalog.manifests)]),
        row("bytes", "… bytes of each in the store", "B", [size]),
    ]


def _store(env: BenchEnvironment) -> ArchiveStore:
    return ArchiveStore(f"file://{env.folder}/archive", "bench", makes_folder=True)


async def _archived(env: BenchEnvironment, load: Load) -> tuple[Catalog, list[float]]:
    """Archive a load. Also returns the events in each second of CPU time, by segment."""
    catalog, rates = Catalog(_store(env)), []
    for part in segments(load):
        began = time.process_time()
        await append(catalog, part, progress={}, owner=OWNER)
        rates.append(len(part) / (time.process_time() - began))
    return catalog, rates


def _bytes_of_an_event(manifests: Sequence[Manifest]) -> float:
    whole = sum(m.size + m.index_size + len(m.encode()) for m in manifests)
    return whole / sum(m.count for m in manifests)


async def _resume(env: BenchEnvironment, load: Load) -> Row:
    """How long resumes wait for their first event. They read the disk: nothing is in memory."""
    catalog = Catalog(_store(env))
    await catalog.refresh()
    times, accounts = [], load.events // SEGMENT
    for n in range(max(env.runs, 2) * 40):
        reader = ArchiveReader(catalog)
        _drop_from_memory(env.folder)
        began = time.monotonic()
        await _first(reader, rare(n % accounts))
        times.append(time.monotonic() - began)
    _, p99 = milliseconds(times)
    return row("resume", "resume of an account → first event, p99", "ms", [p99], 1_000)


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
