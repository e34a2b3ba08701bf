"""Reading whole segments, with a check that they are what their manifests say."""

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


async def read_segment(store: ArchiveStore, manifest: Manifest) -> Segment:
    """All entries of a segment. Raises DamagedArchiveError if the file has another hash."""
    file = await store.get(manifest.file)
    if (found := sha256(file).hexdigest()) != manifest.sha256:
        raise DamagedArchiveError(
            f"{manifest.file} has the SHA-256 {found}, but its manifest says {manifest.sha256}"
        )
    return await asyncio.to_thread(decode_segment, file)
