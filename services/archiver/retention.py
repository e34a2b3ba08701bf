"""Deleting segments that are older than ARCHIVE_KEEP_DAYS.

The newest segment always stays: the archive continues after it.

See docs/decisions/0123-what-the-archive-forgets.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

import structlog

from services.archiver import metrics
from services.archiver.merging import DAY
from shared.archive import writer
from shared.archive.catalog import Catalog
from shared.archive.manifest import Manifest

log = structlog.get_logger()


def expired(manifests: Sequence[Manifest], now: float, days: int) -> Sequence[Manifest]:
    """The oldest segments, as far as all their events are older than `days`. Pure.

    `now` is in Unix seconds. With 0 days nothing expires.
    """
    if not days:
        return ()
    oldest = now * 1_000_000 - days * DAY
    return list(takewhile(lambda each: each.last_published < oldest, manifests[:-1]))


async def delete_expired(catalog: Catalog, now: float, days: int) -> None:
    """Delete what has expired, oldest first. Raises ArchiveUnavailableError."""
    for each in expired(catalog.manifests, now, days):
        await writer.delete(catalog, [each])
        metrics.DELETED.inc()
        log.info("segment_expired", before=str(each.before), last=str(each.last), days=days)
