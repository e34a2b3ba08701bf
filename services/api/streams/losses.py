"""Detects that Redis has lost data. Then the API changes nothing until the data is restored.

The indexer restores the data from the chain. Until then, the commit rejects events at positions
below the last position that this process has seen.

See docs/decisions/0049-loss-of-redis-is-an-event.md.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.journal.commit import Committer
from shared.journal.losses import DataLossDetector, check_journal, read_reports

CHECK_INTERVAL = 1.0
"""Seconds between two checks."""


async def check_reports(redis: Redis, committer: Committer) -> None:
    """Read the reports before the first request. If Redis does not answer, leave it to `watch`."""
    with suppress(RedisError, OSError, TimeoutError):
        async with asyncio.timeout(CHECK_INTERVAL):
            await _stay_above_reports(redis, committer)


async def watch(
    redis: Redis, committer: Committer, last_seen: DataLossDetector, note: Callable[[str], None]
) -> None:
    """Check every CHECK_INTERVAL seconds until cancelled.

    If no indexer ever wrote to this namespace, no indexer will restore the data. Then this process
    accepts the empty journal at once.
    """
    name, noted = secrets.token_hex(8), False
    while True:
        tip = await check_journal(redis, committer.keys, last_seen, name=name)
        committer.stay_above(tip.top)
        if tip.cursor is None:
            await _stay_above_reports(redis, committer)
        if last_seen.lost and not noted:
            note(last_seen.message)
        noted = last_seen.lost
        if last_seen.lost and last_seen.cursor is None and tip.cursor is None:
            last_seen.adopt(tip)
        await asyncio.sleep(CHECK_INTERVAL)


async def _stay_above_reports(redis: Redis, committer: Committer) -> None:
    """Read the losses that other processes have reported, and assign only higher positions.

    An API that started after a loss needs these reports: it has not seen the lost positions itself.
    """
    for report in await read_reports(redis, committer.keys):
        if report.cursor is not None:  # there is an indexer, which will read the chain again
            committer.stay_above(report.top)
