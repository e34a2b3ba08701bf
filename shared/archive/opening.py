"""Opens the archive of the settings, for services that read it. Cheap without ARCHIVE_URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.archive.settings import ArchiveSettings

if TYPE_CHECKING:
    from shared.archive.pages import ArchivePages


def open_archive(settings: ArchiveSettings, namespace: str) -> ArchivePages | None:
    """The archive of this namespace; None without ARCHIVE_URL. The store need not answer yet."""
    if not settings.archive_url:
        return None
    # Imported here, because pyarrow and obstore need 60 MB, and most processes need neither.
    from shared.archive.blocks import BlockCache  # noqa: PLC0415
    from shared.archive.catalog import Catalog  # noqa: PLC0415
    from shared.archive.pages import ArchivePages  # noqa: PLC0415
    from shared.archive.reader import ArchiveReader  # noqa: PLC0415
    from shared.archive.store import ArchiveStore  # noqa: PLC0415

    store = ArchiveStore(settings.archive_url, namespace)
    wants_cache = settings.archive_cache_bytes and not store.local
    cache = (
        BlockCache(settings.archive_cache_dir, settings.archive_cache_bytes)
        if wants_cache
        else None
    )
    return ArchivePages(ArchiveReader(Catalog(store), cache))
