"""Deleting objects that belong to no segment any more: merged ones, and what a dead archiver left.

An object is deleted only if it belonged to no segment for ten minutes. Until then an archiver that
was stopped in the middle of a merge, and goes on when another one is active, does no harm: it may
overwrite the manifest of a merged segment, but all segments that it covered are still there.

See docs/decisions/0123-what-the-archive-forgets.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import structlog

from services.archiver import metrics
from shared.archive.catalog import FOLDER, Catalog, manifest_path

log = structlog.get_logger()

GRACE_SECONDS = 600.0
SEGMENTS = "segments"


class Sweeping:
    """Remembers since when objects belong to no segment."""

    def __init__(self, catalog: Catalog, *, grace: float = GRACE_SECONDS) -> None:
        self._catalog = catalog
        self._grace = grace
        self._since: dict[tuple[str, str], float] = {}

    async def sweep(self, now: float) -> None:
        """Delete what belonged to no segment for long. `now` only goes forward.

        Call it just after a refresh of the catalog. Raises ArchiveUnavailableError.
        """
        found = [each async for each in self._unused()]
        self._since = {each: self._since.get(each, now) for each in found}
        for each, since in list(self._since.items()):
            if now - since >= self._grace:
                await self._catalog.store.delete(each[0])
                del self._since[each]
                metrics.DELETED.inc(each[0].startswith(FOLDER))
                log.info("object_deleted", path=each[0])

    async def _unused(self) -> AsyncIterator[tuple[str, str]]:
        """Path and version of each object that belongs to no segment of the catalog."""
        used = {manifest_path(each.before) for each in self._catalog.manifests}
        used |= {path for each in self._catalog.manifests for path in (each.file, each.index)}
        for folder in (FOLDER, SEGMENTS):
            async for each in self._catalog.store.list(folder):
                if each.path not in used:
                    yield each.path, each.version
