"""`python -m services.archiver erase ID…`: erase the metadata of streams.

See docs/decisions/0123-what-the-archive-forgets.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Sequence
from functools import partial

from redis.asyncio import Redis

from services.archiver.archiving import Archiving
from services.archiver.commands.runner import EXIT_WRONG, no_archiver, run_command
from services.archiver.erasing import erase_metadata
from services.archiver.patience import PatientStore
from services.archiver.segments import read_segment
from services.archiver.settings import ArchiverSettings
from services.archiver.sweeping import Sweeping
from shared.archive import writer
from shared.archive.catalog import Catalog
from shared.archive.manifest import Manifest
from shared.archive.store import ArchiveStore
from shared.archive.topic_filter import may_contain
from shared.domain import commands
from shared.domain.events import Event
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.plan import StreamStates
from shared.journal.streams import StoredStreams
from shared.runtime.command_line import invoked_as
from shared.web.probes import Readiness


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog=f"{invoked_as('services.archiver')} erase",
        description="Erase the metadata of streams: it becomes empty in Redis, and in all archived "
        "events. The journal in Redis keeps it until it is trimmed. Stop the archiver before. "
        "Exit codes: 0 done; 1 a stream is unknown, the others are done; 2 the command failed.",
    )
    parser.add_argument("streams", nargs="+", metavar="ID", help="id of a stream")
    return run_command(partial(run, frozenset(parser.parse_args(argv).streams)))


async def run(streams: frozenset[str], settings: ArchiverSettings, redis: Redis) -> int:
    """Erase; returns the exit code."""
    keys = settings.keys
    catalog = Catalog(ArchiveStore(settings.archive_url, keys.namespace))
    async with no_archiver(redis, keys):
        committer = Committer(redis, keys, retention=settings.retention)
        seconds, _ = await redis.time()
        for stream_id in sorted(streams):
            await committer.change([stream_id], partial(_empty, stream_id, int(seconds)))
        await _archive_all(settings, redis, catalog)
        events, unknown = 0, await _not_stored(redis, keys, streams)
        for manifest in list(catalog.manifests):
            if may_contain(manifest.topics, streams):
                count, found = await _erase(catalog, manifest, streams, settings.seed)
                events, unknown = events + count, unknown - found
        await catalog.refresh()
        await Sweeping(catalog, grace=0).sweep(0)
    _report(events, unknown)
    return EXIT_WRONG if unknown else 0


def _report(events: int, unknown: Collection[str]) -> None:
    print(f"Erased the metadata in {events} archived events.")
    print(
        "The journal in Redis keeps these events until it trims them (JOURNAL_MAX_AGE).",
        file=sys.stderr,
    )
    for each in sorted(unknown):
        print(f"Neither Redis nor the archive has a stream {each!r}.", file=sys.stderr)


async def _not_stored(redis: Redis, keys: Keys, streams: frozenset[str]) -> frozenset[str]:
    stored = await StoredStreams(redis, keys).load(streams)
    return frozenset(each for each in streams if not stored[each])


def _empty(stream_id: str, now: int, streams: StreamStates) -> list[Event]:
    """Replace the metadata as the API does, so that no later event has it."""
    stream = streams[stream_id]
    return commands.update(stream, {}, now) if stream and stream.metadata else []


async def _archive_all(settings: ArchiverSettings, redis: Redis, catalog: Catalog) -> None:
    """Archive the journal up to its end, so that no event with the metadata comes later."""
    archiving = Archiving(
        redis,
        settings.keys,
        catalog,
        PatientStore(Readiness()),
        segment_bytes=settings.archive_segment_bytes,
        seconds=settings.archive_seconds,
        seed=settings.seed,
    )
    await archiving.start()
    await archiving.archive_all()


async def _erase(
    catalog: Catalog, manifest: Manifest, streams: frozenset[str], seed: str | None
) -> tuple[int, set[str]]:
    """Write the segment again without the metadata.

    Returns the number of changed events, and those of the streams that have events in it.
    """
    entries, erased = await read_segment(catalog.store, manifest)
    left, hashes = erase_metadata(entries, erased, streams)
    count = sum(one is not other for one, other in zip(entries, left, strict=True))
    if count:
        written = await writer.replace(catalog, [manifest], left, erased=hashes, seed=seed)
        await writer.delete(catalog, [manifest], replaced_by=written)
    return count, {each.topics[0] for each in entries if each.topics} & streams
