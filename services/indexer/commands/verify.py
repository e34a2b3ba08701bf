"""`python -m services.indexer verify --from L --to M`: check the journal against the source.

`--archive` checks the archive in ARCHIVE_URL instead of the journal.
`verify --state` compares the stored streams with the contract's storage instead (`verify_state`).

Reads the ledgers again from the source. Compares their events with the journal and the stored
streams. Changes nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict
from functools import partial

import orjson
from redis.asyncio import Redis

from services.indexer.commands import verify_state
from services.indexer.commands.journal_range import JournalRange
from services.indexer.commands.runner import CommandFailedError, run_command
from services.indexer.commands.verification import (
    compare,
    event_of,
    replay_expected,
    with_known_schedule,
)
from services.indexer.settings import IndexerSettings
from services.indexer.sources import factory as choice
from services.indexer.sources.base import Source
from services.indexer.sources.ledger_range import cursor_before
from services.indexer.sources.upstream import UpstreamVersions
from shared.archive.settings import ArchiveSettings
from shared.chain.errors import SourceError
from shared.domain.events import Event
from shared.domain.position import Position
from shared.runtime.command_line import invoked_as
from shared.runtime.config import load
from shared.runtime.tasks import backoff
from shared.web import client as http

_TRIES = 6
"""The command fails after this many errors in a row. An event that fails its proof causes two."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    return run_command(partial(run, arguments(argv)))


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments. If they are wrong, prints a line to stderr and exits with code 2."""
    parser = argparse.ArgumentParser(
        prog=f"{invoked_as('services.indexer')} verify",
        description="Read ledgers again from SOURCE and compare their events with the journal and "
        "the stored streams. Prints each difference as a line of JSON. Changes nothing. "
        "Exit codes: 0 all equal; 1 differences; 2 the command failed.",
    )
    parser.add_argument("--from", type=_ledger, dest="first", metavar="L", help="first ledger")
    parser.add_argument("--to", type=_ledger, dest="last", metavar="M", help="last ledger")
    parser.add_argument(
        "--archive", action="store_true", help="check the archive (ARCHIVE_URL), not the journal"
    )
    parser.add_argument(
        "--state",
        action="store_true",
        help="instead of a range: compare all streams with the contract's storage (RPC_URL)",
    )
    args = parser.parse_args(argv)
    if args.state != (args.first is args.last is None):
        parser.error("give either --from L and --to M, or --state")
    if args.state and args.archive:
        parser.error("give either --archive or --state")
    if not args.state and None in (args.first, args.last):
        parser.error("give both --from L and --to M")
    if not args.state and args.first > args.last:
        parser.error("--from L must not be above --to M")
    return args


def _ledger(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 1 << 31):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a ledger number: expected 1 to {(1 << 31) - 1}"
        )
    return int(text)


async def _range(args: argparse.Namespace, settings: IndexerSettings, redis: Redis) -> JournalRange:
    if not args.archive:
        return await JournalRange.of(redis, settings.keys, args.first, args.last)
    url = load(ArchiveSettings).archive_url
    if not url:
        raise CommandFailedError("--archive needs ARCHIVE_URL")
    from services.indexer.commands.archive_range import ArchiveRange  # noqa: PLC0415 - pyarrow
    from shared.archive.errors import ArchiveError  # noqa: PLC0415

    try:
        return await ArchiveRange.of_archive(redis, settings.keys, url, args.first, args.last)
    except ArchiveError as error:
        raise CommandFailedError(f"the archive failed: {error}") from error


async def run(args: argparse.Namespace, settings: IndexerSettings, redis: Redis) -> int:
    """Compare the events and print the differences; returns the exit code."""
    if args.state:
        return await verify_state.run(settings, redis)
    journal = await _range(args, settings, redis)
    async with _source(settings) as source:
        events, dead = await _read(source, args.first, args.last)
        name = source.name
    trimmed = [place for place in events if place < journal.first_kept]
    journal_events = [event_of(entry) for entry in journal.entries]
    stored = {event.position: event for event in journal_events}
    chain = {
        place: with_known_schedule(event, stored.get(place))
        for place, event in events.items()
        if place >= journal.first_kept
    }
    events_to_apply = chain | {
        e.position: e for e in journal_events if e.provenance is None and e.position
    }
    states, adopted = await journal.states(
        {e.stream_id for e in (*events_to_apply.values(), *journal_events)}
    )
    expected = replay_expected(events_to_apply, states, adopted)
    differences = [
        *compare(expected, journal.entries),
        *[d async for d in journal.stored(expected)],
    ]
    for each in differences:
        print(orjson.dumps(asdict(each)).decode())
    summary = (
        f"{len(expected)} events and {len(states)} streams of ledgers {args.first} to {args.last}"
    )
    notes = [f"{len(trimmed)} events are older than the journal"] if trimmed else []
    notes += [f"{dead} could not be decoded"] if dead else []
    verdict = f"{len(differences)} differences" if differences else "all equal"
    print("; ".join([f"{summary} against {name}: {verdict}", *notes]), file=sys.stderr)
    return 1 if differences else 0


@asynccontextmanager
async def _source(settings: IndexerSettings) -> AsyncIterator[Source]:
    async with http.session() as session:
        yield choice.create_source(settings, session, lambda: None, UpstreamVersions())


async def _read(source: Source, first: int, last: int) -> tuple[dict[Position, Event], int]:
    """Read the events of these ledgers and count the dead letters. Raises CommandFailedError."""
    oldest, latest = await source.ledgers()
    if not oldest <= first <= last <= latest:
        raise CommandFailedError(
            f"{source.name} has ledgers {oldest} to {latest}, not {first} to {last}"
        )
    cursor, end = cursor_before(first), cursor_before(last + 1)
    events: dict[Position, Event] = {}
    dead, waits = 0, backoff()
    failures = 0
    while cursor < end:
        try:
            async with aclosing(source.batches(cursor)) as batches:
                async for batch in batches:
                    events |= {e.position: e for e in batch.events if e.position}
                    dead += len(batch.dead)
                    cursor, failures, waits = batch.cursor, 0, backoff()
                    if cursor >= end:
                        break
        except SourceError as error:
            if (failures := failures + 1) == _TRIES:
                raise
            await asyncio.sleep(max(next(waits), error.retry_after or 0.0))
    return {place: event for place, event in events.items() if place.toid <= end}, dead
