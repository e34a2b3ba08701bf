"""`python -m services.archiver forget`: end archiving. The journal is trimmed again.

See docs/decisions/0121-journal-is-not-trimmed-past-the-archive.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from redis.asyncio import Redis

from services.archiver.commands.runner import no_archiver, run_command
from services.archiver.settings import ArchiverSettings
from shared.archive.mark import delete_mark
from shared.runtime.command_line import invoked_as


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    argparse.ArgumentParser(
        prog=f"{invoked_as('services.archiver')} forget",
        description="End archiving: Redis forgets up to where the journal is archived, so the "
        "journal is trimmed as without an archive. The archive itself stays. Stop the archiver "
        "before. Exit codes: 0 done; 2 the command failed.",
    ).parse_args(argv)
    return run_command(run)


async def run(settings: ArchiverSettings, redis: Redis) -> int:
    """Delete the mark; returns the exit code."""
    async with no_archiver(redis, settings.keys):
        existed = await delete_mark(redis, settings.keys)
    found = "The journal is trimmed again." if existed else "There was no mark in Redis."
    print(found, "The archive was not changed.")
    return 0
