"""Checks that the store is there, has the archive that Redis knows, and takes a write.

See docs/decisions/0125-an-archiver-gives-up-its-lease.md.
"""

from __future__ import annotations

from shared.archive.catalog import Catalog
from shared.archive.errors import ArchiveUnavailableError
from shared.archive.mark import ArchiveMark
from shared.archive.store import ArchiveStore

_PATH = "write-check"


async def refresh_whole(catalog: Catalog, mark: ArchiveMark | None) -> None:
    """Refresh the catalog. Raises ArchiveUnavailableError if the archive ends before the mark.

    `mark`: read before, because the catalog only grows.
    """
    await catalog.refresh()
    if mark and mark.position > catalog.end:
        raise ArchiveUnavailableError(
            f"the archive in {catalog.store.url} ends at {catalog.end}, but Redis "
            f"says that events up to {mark.position} are archived: mount the disk, correct "
            "ARCHIVE_URL, or put the files back. If they are lost, or if the archive is to "
            "begin again, run the command forget: the archiver then continues with the events "
            "that the journal still has"
        )


async def check_store(store: ArchiveStore, mark: ArchiveMark | None) -> None:
    """Check the store. Raises ArchiveUnavailableError.

    Many stores can be read and not written: a full or read-only disk, a key without the right.
    """
    await refresh_whole(Catalog(store), mark)
    await store.put(_PATH, b"")
