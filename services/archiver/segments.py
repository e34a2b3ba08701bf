"""Reading whole files, with a check that they are what their manifests say."""

from __future__ import annotations

import asyncio
from hashlib import sha256

from shared.archive.errors import DamagedArchiveError
from shared.archive.manifest import Manifest
from shared.archive.segment import decode_segment
from shared.archive.store import ArchiveStore
from shared.journal.wire import JournalEntry

Segment = tuple[list[JournalEntry], dict[str, bytes]]
"""The entries, and the hashes of the originals of the erased ones, by position."""


async def read_file(store: ArchiveStore, path: str, expected: str) -> bytes:
    """A file whose SHA-256 is `expected`. Raises DamagedArchiveError if it has another one."""
    file = await store.get(path)
    if (found := sha256(file).hexdigest()) != expected:
        raise DamagedArchiveError(
            f"{path} has the SHA-256 {found}, but its manifest says {expected}"
        )
    return file


async def read_segment(store: ArchiveStore, manifest: Manifest) -> Segment:
    """All entries of a segment. Raises DamagedArchiveError if the file has another hash."""
    file = await read_file(store, manifest.file, manifest.sha256)
    return await asyncio.to_thread(decode_segment, file)
