"""Small archives for tests: entries of any shape, in segments of any size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from shared.archive.catalog import Catalog
from shared.archive.manifest import Manifest
from shared.archive.writer import append
from shared.domain.position import Position
from shared.journal.wire import JournalEntry

PUBLISHED = 1_770_000_000_000_000


def entry(n: int, topics: Sequence[str] = (), *, previous: str | None = None) -> JournalEntry:
    """The entry number `n` (from 1), which follows number `n - 1`, with these topics."""
    body = b'{"id":"%d-0","publishedAt":%d,"type":"stream.created"}' % (n, PUBLISHED + n)
    return JournalEntry(f"{n}-0", previous or f"{n - 1}-0", "stream.created", tuple(topics), body)


def entries(topics: Sequence[Sequence[str]], first: int = 1) -> list[JournalEntry]:
    """Entries that follow each other; the first has the number `first`."""
    return [entry(n, each) for n, each in enumerate(topics, first)]


async def write(
    catalog: Catalog,
    made: Sequence[JournalEntry],
    sizes: Sequence[int] = (),
    progress: Mapping[str, str] | None = None,
) -> None:
    """Append these entries in segments of these sizes; the rest in one more."""
    rest = list(made)
    for size in [*sizes, len(rest)]:
        part, rest = rest[:size], rest[size:]
        if part:
            await append(catalog, part, progress=progress or {"began": "0-0"}, owner={})


def manifest(**more: object) -> Manifest:
    """A manifest, with these fields changed."""
    made = Manifest(
        before=Position(1, 0),
        first=Position(1, 1),
        last=Position(9, 2**53),
        count=2,
        size=10,
        file="segments/a.parquet",
        sha256="ab",
        index="segments/a.index.parquet",
        index_sha256="cd",
        index_size=5,
        chain_before="00",
        chain="11",
        first_published=1,
        last_published=2,
        first_ledger=None,
        last_ledger=7,
        topics=b"\0\xff",
    )
    return replace(made, **more)  # type: ignore[arg-type]
