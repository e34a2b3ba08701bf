"""`python -m services.indexer deadletter list|retry|drop`: what could not be decoded, and then.

The journal only grows forward (docs/decisions.md 1): an event whose place lies below its top can
be read again, but not put in any more.
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
from services.indexer.decode.contracts import WatchedContracts
from services.indexer.decode.dead_letters import StillUndecodableError, reread
from services.indexer.decode.transactions import DecodedEvents
from services.indexer.settings import IndexerSettings
from shared.domain.events import Event
from shared.journal.commit import Committer, JournalInconsistentError
from shared.journal.dead_letters import StoredDeadLetters
from shared.journal.namespace import NamespaceClaim
from shared.journal.reader import Journal
from shared.runtime.command_line import invoked_as

_LISTED_FIELDS = ("kind", "position", "ledger", "txHash", "contractId", "why")
_TOO_LATE = (
    "{} can be read now, but the journal goes on behind its place and only grows forward; what it "
    "changed is right again under a new NAMESPACE only (docs/operations.md)"
)


def main(argv: Sequence[str]) -> int:
    """The command; returns its exit code."""
    return run_command(partial(run, arguments(argv)))


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """What `run` is told to do; exits with 2 behind a line on stderr when that is no sense."""
    parser = argparse.ArgumentParser(
        prog=f"{invoked_as('services.indexer')} deadletter",
        description="Dead letters: what the indexer could not decode and kept raw. Exit code 0: "
        "all was done; 1: some stay, or are not there; 2: it could not be done.",
    )
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="one line of JSON each, without the XDR")
    retry = actions.add_parser("retry", help="read them again, commit what still has its place")
    retry.add_argument("ids", nargs="*", metavar="ID", help="as `list` tells; all without any")
    drop = actions.add_parser("drop", help="forget them")
    drop.add_argument("ids", nargs="*", metavar="ID", help="as `list` tells")
    drop.add_argument("--all", action="store_true", help="forget every one")
    args = parser.parse_args(argv)
    if args.action == "drop" and bool(args.ids) == args.all:
        drop.error("name either letters by their ID or --all")
    return args


async def run(args: argparse.Namespace, settings: IndexerSettings, redis: Redis) -> int:
    """Do it; returns the exit code."""
    if args.action == "retry":  # which commits
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
        print(f"{entry}: there is no such dead letter", file=sys.stderr)
    act = _Retry(settings, redis).one if args.action == "retry" else _drop
    done = 0
    for entry in (each for each in letters if each in chosen):  # oldest first, as they may commit
        if await act(entry, letters[entry]):
            await stored.delete(entry)
            done += 1
    stay = await stored.count()
    print(f"{done} done, {stay} in the dead letters", file=sys.stderr)
    return 0 if done == len(chosen) else 1


async def _drop(entry: str, letter: dict[str, Any]) -> bool:
    print(f"{entry}: dropped")
    return True


class _Retry:
    def __init__(self, settings: IndexerSettings, redis: Redis) -> None:
        self._contracts = WatchedContracts(settings.contracts)
        self._journal = Journal(redis, settings.keys)
        # Without a token: like the API's, and unlike an indexer's, such a commit moves no cursor.
        self._committer = Committer(redis, settings.keys, retention=settings.retention)

    async def one(self, entry: str, letter: dict[str, Any]) -> bool:
        """Say what became of a letter; whether it is settled."""
        try:
            decoded = reread(letter, self._contracts)
        except StillUndecodableError as error:
            print(f"{entry}: not readable: {error}")
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
            return True, f"{count} event(s) already in the journal" if count else "nothing of ours"
        dead = [orjson.dumps(letter) for letter in decoded.dead]
        try:
            done = await self._committer.record(missing, progress={}, dead=dead)
        except JournalInconsistentError:
            return False, _TOO_LATE.format(_positions(missing))
        if done.seen:  # as old as what was trimmed
            return False, _TOO_LATE.format(_positions(missing))
        more = f"; {len(dead)} of its events are dead letters of their own" if dead else ""
        return True, f"committed {_positions(missing) or 'nothing'}{more}"


def _positions(events: Sequence[Event]) -> str:
    return ", ".join(f"{event.position} ({event.type})" for event in events)
