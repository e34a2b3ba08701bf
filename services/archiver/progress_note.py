"""A note in the store: the progress of the indexer, for times without events.

A manifest has the progress too. But if nothing happens for days, no segment is written, and after
a restore the indexer would have to read these days again. A source may not have them any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import orjson

from shared.archive.catalog import Catalog
from shared.archive.errors import NotInArchiveError
from shared.archive.manifest import Manifest
from shared.archive.store import ArchiveStore
from shared.domain.position import Position, parse_position

_PATH = "progress.json"

Progress = Mapping[str, str]
"""The fields of the progress hash (shared.journal.progress)."""


def cursor_of(progress: Progress) -> int:
    """The TOID up to which the source was read; -1 if it is unknown."""
    return int(progress.get("cursor", "-1").partition("-")[0] or -1)


def latest(manifests: Sequence[Manifest], note: Progress) -> Progress:
    """The newest known progress; empty if there is none. Pure."""
    known: Iterable[Progress] = (each.progress for each in manifests if each.progress)
    return max([{}, *known, note], key=lambda each: (bool(each), cursor_of(each)))


async def write_note(store: ArchiveStore, position: Position, progress: Progress) -> None:
    """Store the progress. All events up to its cursor are archived up to `position`."""
    await store.put(_PATH, orjson.dumps({"position": str(position), "progress": dict(progress)}))


async def read_latest(catalog: Catalog) -> Progress:
    """The newest progress with which the archive's events are complete up to the cursor."""
    try:
        found = orjson.loads(await catalog.store.get(_PATH))
        above = parse_position(found["position"]) > catalog.end
        note = {} if above else found["progress"]
    except (NotInArchiveError, ValueError, KeyError, TypeError):
        note = {}
    return latest(catalog.manifests, note)
