"""`python -m services.archiver restore`: fill an empty Redis from the archive.

See docs/decisions/0122-restore-brings-the-journal-back.md.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence

from redis.asyncio import Redis

from services.archiver.commands.runner import (
    RefusedCommandError,
    no_archiver,
    require_segments,
    run_command,
)
from services.archiver.progress_note import read_latest
from services.archiver.restoring import Restoring
from services.archiver.settings import ArchiverSettings
from shared.archive.catalog import Catalog
from shared.archive.mark import mark_now
from shared.archive.store import ArchiveStore
from shared.domain.instant import utc_text
from shared.journal.keys import Keys
from shared.journal.losses import delete_reports
from shared.journal.namespace import begin_new_epoch, mismatch, write_owner
from shared.journal.rebuilding import NamespaceWriter
from shared.redis.lease import Lease
from shared.runtime.command_line import invoked_as

_LEASE_SECONDS = 86_400.0
"""If the command is killed, the namespace is not whole, and no indexer must go on with it."""
_NOTICED_SECONDS = 2.5
"""In this time, each running process notices that the journal is back."""
_ATTEMPTS = 3


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    argparse.ArgumentParser(
        prog=f"{invoked_as('services.archiver')} restore",
        description="Fill an empty Redis from the archive: the newest events of the journal, all "
        "streams, the indexes and the progress of the indexer. Stop the indexer and the archiver "
        "before. Exit codes: 0 done; 2 the command failed.",
    ).parse_args(argv)
    return run_command(run)


async def run(settings: ArchiverSettings, redis: Redis) -> int:
    """Restore; returns the exit code. Raises RefusedCommandError if Redis is not empty."""
    keys, began = settings.keys, time.monotonic()
    catalog = Catalog(ArchiveStore(settings.archive_url, keys.namespace))
    async with no_archiver(redis, keys):
        await catalog.refresh()
        _require_content(catalog, settings)
        await _require_empty(redis, keys)
        lease = Lease(redis, keys.lease, seconds=_LEASE_SECONDS, fence=keys.fence)
        if not await lease.take():
            raise RefusedCommandError(
                "an indexer is active: stop it. If a restore was killed, delete the keys of the "
                "namespace, and run this command again"
            )
        restoring = Restoring(redis, keys, catalog, settings.retention, _report)
        await NamespaceWriter(redis, keys).begin()
        await restoring.run()
        epoch = await _finish(redis, keys, catalog)
        await lease.release()
    seconds = time.monotonic() - began
    print(
        f"Restored {restoring.streams} streams and {restoring.tail.count} events up to "
        f"{catalog.end} in {seconds:.0f} s. Tokens that were issued before "
        f"{utc_text(epoch / 1e6)} are refused. Start the indexer and the archiver now."
    )
    return 0


def _require_content(catalog: Catalog, settings: ArchiverSettings) -> None:
    require_segments(catalog, settings)
    assert catalog.last
    owner = catalog.last.owner
    texts = [owner[name].encode() for name in ("network", "contract") if name in owner]
    if len(texts) == 2 and (wrong := mismatch(settings, texts)):
        raise RefusedCommandError(wrong)


async def _require_empty(redis: Redis, keys: Keys) -> None:
    if not await NamespaceWriter(redis, keys).is_empty():
        raise RefusedCommandError(
            f"the namespace {keys.namespace} in Redis is not empty: a restore would mix two "
            "histories. Stop the indexer and the API, delete the keys of the namespace "
            "(docs/operations/archive.md), and run this command again"
        )


async def _finish(redis: Redis, keys: Keys, catalog: Catalog) -> int:
    """Write what makes the journal whole. Returns the new epoch in Unix microseconds."""
    assert catalog.last
    await write_owner(redis, keys, catalog.last.owner)
    await mark_now(redis, keys, catalog.end, catalog.chain)
    epoch = await begin_new_epoch(redis, keys)
    await NamespaceWriter(redis, keys).finish(await read_latest(catalog))
    await _forget_loss(redis, keys)
    return epoch


async def _forget_loss(redis: Redis, keys: Keys) -> None:
    """Delete the reports of the loss, before an indexer reads them and announces the loss.

    Running processes write them again until they notice that the journal is back. A process that
    saw another journal in the meantime goes on to report. Then the indexer announces the loss.
    """
    for _ in range(_ATTEMPTS):
        if not await delete_reports(redis, keys):
            return
        await asyncio.sleep(_NOTICED_SECONDS)


def _report(line: str) -> None:
    print(f"\r\x1b[K{line}" if sys.stderr.isatty() else line, file=sys.stderr, end=_END, flush=True)


_END = "" if sys.stderr.isatty() else "\n"
