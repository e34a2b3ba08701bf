"""`python -m services.indexer deadletter list|retry|drop`: handle undecodable events.

The journal accepts events only at its end. So an event whose position is below the journal's last
position cannot be committed any more, even if it can be decoded now.

See docs/decisions/0001-position-is-the-chain-id.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson
from redis.asyncio import Redis

from services.indexer.commands.runner import run_command
from services.indexer.settings import IndexerSettings
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.decode.dead_letters import StillUndecodableError, reread
from shared.chain.decode.transactions import DecodedEvents
from shared.domain.events import Event
from shared.journal.commit import Committer
from shared.journal.commit_errors import JournalInconsistentError
from shared.journal.dead_letters import StoredDeadLetters
from shared.journal.namespace import NamespaceClaim
from shared.journal.reader import Journal
from shared.runtime.command_line import invoked_as

_LISTED_FIELDS = ("kind", "position", "ledger", "txHash", "contractId", "why")
_TOO_LATE = (
    "{} can be decoded now, but the journal has later events and cannot insert earlier ones; to "
    "correct the streams, read everything into a new NAMESPACE (docs/operations/namespace.md)"
)


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    return run_command(partial(run, arguments(argv)))


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments. If they are wrong, prints a line to stderr and exits with code 2."""
    parser = argparse.ArgumentParser(
        prog=f"{invoked_as('services.indexer')} deadletter",
        description="Handle dead letters: events that the indexer could not decode and stored raw. "
        "Exit codes: 0 all done; 1 some letters remain or do not exist; 2 the command failed.",
    )
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="print each letter as one line of JSON, without the XDR")
    retry = actions.add_parser("retry", help="decode letters again and commit their events")
    retry.add_argument("ids", nargs="*", metavar="ID", help="id that `list` printed; default: all")
    drop = actions.add_parser("drop", help="delete letters")
    drop.add_argument("ids", nargs="*", metavar="ID", help="id that `list` printed")
    drop.add_argument("--all", action="store_true", help="delete all letters")
    args = parser.parse_args(argv)
    if args.action == "drop" and bool(args.ids) == args.all:
        drop.error("give either IDs or --all")
    return args


async def run(args: argparse.Namespace, settings: IndexerSettings, redis: Redis) -> int:
    """List, retry or drop dead letters; returns the exit code."""
    if args.action == "retry":  # only `retry` commits events
        await NamespaceClaim(redis, settings).check()
    stored = StoredDeadLetters(redis, settings.keys)
    letters = await stored.all()
    if args.action == "list":
        for entry, letter in letters.items():
            shown = {name: letter[name] for name in _LISTED_FIELDS if name in letter}
            print(orjson.dumps({"id": entry} | shown).decode())
        return 0
    chosen = args.ids or list(letters)
    missing = [entry for entry in chosen if entry not in letters]
    for entry in missing:
        print(f"{entry}: no such dead letter", file=sys.stderr)
    act = _Retry(settings, redis).one if args.action == "retry" else _drop
    done = 0
    # Oldest first: after a later event is committed, an earlier one cannot be committed any more.
    for entry in (each for each in letters if each in chosen):
        if await act(entry, letters[entry]):
            await stored.delete(entry)
            done += 1
    stay = await stored.count()
    print(f"{done} done, {stay} dead letters remain", file=sys.stderr)
    return 0 if done == len(chosen) else 1


async def _drop(entry: str, letter: dict[str, Any]) -> bool:
    print(f"{entry}: dropped")
    return True


class _Retry:
    def __init__(self, settings: IndexerSettings, redis: Redis) -> None:
        self._contracts = WatchedContracts(settings.contracts)
        self._journal = Journal(redis, settings.keys)
        # No lease token: these commits do not move the indexer's cursor, so they need no lease.
        self._committer = Committer(redis, settings.keys, retention=settings.retention)

    async def one(self, entry: str, letter: dict[str, Any]) -> bool:
        """Retry one letter and print the outcome. Returns True if the letter can be deleted."""
        try:
            decoded = reread(letter, self._contracts)
        except StillUndecodableError as error:
            print(f"{entry}: still undecodable: {error}")
            return False
        is_done, outcome = await self._commit(decoded)
        print(f"{entry}: {outcome}")
        return is_done

    async def _commit(self, decoded: DecodedEvents) -> tuple[bool, str]:
        events = [(event, event.position) for event in decoded.events if event.position]
        found = await self._journal.at([position for _, position in events])
        missing = [event for (event, _), entry in zip(events, found, strict=True) if entry is None]
        if not missing and not decoded.dead:
            count = len(decoded.events)
            return (
                True,
                f"{count} event(s) already in the journal"
                if count
                else "no event of a watched contract",
            )
        dead = [orjson.dumps(letter) for letter in decoded.dead]
        try:
            done = await self._committer.record(missing, progress={}, dead=dead)
        except JournalInconsistentError:
            return False, _TOO_LATE.format(_positions(missing))
        if done.seen:  # events older than the journal's oldest entry are not committed
            return False, _TOO_LATE.format(_positions(missing))
        more = f"; {len(dead)} of its events became new dead letters" if dead else ""
        return True, f"committed {_positions(missing) or 'nothing'}{more}"


def _positions(events: Sequence[Event]) -> str:
    return ", ".join(f"{event.position} ({event.type})" for event in events)
