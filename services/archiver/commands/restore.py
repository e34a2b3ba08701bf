"""`python -m services.archiver restore`: fill an empty Redis from the archive.

See docs/decisions/0122-restore-brings-the-journal-back.md,
docs/decisions/0126-a-restore-can-leave-out-damage.md.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from functools import partial

from redis.asyncio import Redis

from services.archiver.commands.runner import (
    EXIT_WRONG,
    RefusedCommandError,
    no_archiver,
    require_segments,
    run_command,
)
from services.archiver.damage import FOLDER, Damage
from services.archiver.progress_note import read_latest
from services.archiver.restoring import Restoring
from services.archiver.settings import ArchiverSettings
from shared.archive.catalog import Catalog
from shared.archive.errors import DamagedArchiveError
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
    parser = argparse.ArgumentParser(
        prog=f"{invoked_as('services.archiver')} restore",
        description="Fill an empty Redis from the archive: the newest events of the journal, all "
        "streams, the indexes and the progress of the indexer. Stop the indexer and the archiver "
        "before. Exit codes: 0 done; 1 done, but damaged segments were left out; 2 the command "
        "failed.",
    )
    parser.add_argument(
        "--skip-damaged",
        action="store_true",
        help="leave out what is damaged or missing in the archive, move it to the folder "
        "`damaged`, and print which events are missing then",
    )
    return run_command(partial(run, skip_damaged=parser.parse_args(argv).skip_damaged))


async def run(settings: ArchiverSettings, redis: Redis, *, skip_damaged: bool = False) -> int:
    """Restore; returns the exit code. Raises RefusedCommandError if Redis is not empty."""
    keys, began = settings.keys, time.monotonic()
    damage = Damage() if skip_damaged else None
    store = ArchiveStore(settings.archive_url, keys.namespace)
    catalog = Catalog(store, on_damaged=damage.add_manifest if damage else None)
    async with no_archiver(redis, keys):
        await catalog.refresh()
        _require_content(catalog, settings)
        await _require_empty(redis, keys)
        lease = await _take_lease(redis, keys)
        restoring = Restoring(redis, keys, catalog, settings.retention, _report, damage=damage)
        await NamespaceWriter(redis, keys).begin()
        await _run(restoring)
        if damage:
            await damage.set_aside(store)
            await catalog.refresh()
        epoch = await _finish(redis, keys, catalog)
        await lease.release()
    print(
        f"Restored {restoring.streams} streams and {restoring.tail.count} events up to "
        f"{catalog.end} in {time.monotonic() - began:.0f} s. Tokens that were issued before "
        f"{utc_text(epoch / 1e6)} are refused. Start the indexer and the archiver now."
    )
    return _report_damage(damage, catalog, restoring.stale) if damage else 0


async def _take_lease(redis: Redis, keys: Keys) -> Lease:
    """The lease of the indexer, so that none is active."""
    lease = Lease(redis, keys.lease, seconds=_LEASE_SECONDS, fence=keys.fence)
    if not await lease.take():
        raise RefusedCommandError(
            "an indexer is active: stop it. If a restore was killed, delete the keys of the "
            "namespace, and run this command again"
        )
    return lease


async def _run(restoring: Restoring) -> None:
    try:
        await restoring.run()
    except DamagedArchiveError as error:
        raise DamagedArchiveError(
            f"{error}. Redis is filled in part only. Put the file back from a copy, empty Redis "
            "and run this command again. If there is no copy, add --skip-damaged: it goes on "
            "without these events"
        ) from error


def _report_damage(damage: Damage, catalog: Catalog, stale: Sequence[str]) -> int:
    """Print what was left out, and what is missing now; returns the exit code."""
    for each in damage.found:
        print(f"Left out, and moved to the folder {FOLDER}: {each}", file=sys.stderr)
    for after, last in damage.missing(catalog.manifests):
        print(f"Missing: all events after {after} up to {last}")
    for each in stale:
        print(f"Stream {each} may have changed there. It is as it was before.")
    return EXIT_WRONG if damage.found else 0


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
