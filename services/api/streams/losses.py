"""The API notices that Redis was emptied, and accepts no changes after that.

Until the indexer has read the chain again, the commit refuses events below what this process saw.
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
"""Seconds between two looks."""


async def check_reports(redis: Redis, committer: Committer) -> None:
    """Look once, before the first request. If Redis does not answer, `watch` looks later."""
    with suppress(RedisError, OSError, TimeoutError):
        async with asyncio.timeout(CHECK_INTERVAL):
            await _stay_above_reports(redis, committer)


async def watch(
    redis: Redis, committer: Committer, last_seen: DataLossDetector, note: Callable[[str], None]
) -> None:
    """Look for ever. If there never was an indexer, none can announce the loss: it ends at once."""
    name, noted = secrets.token_hex(8), False
    while True:
        head = await check_journal(redis, committer.keys, last_seen, name=name)
        committer.stay_above(head.top)
        if head.cursor is None:
            await _stay_above_reports(redis, committer)
        if last_seen.lost and not noted:
            note(last_seen.message)
        noted = last_seen.lost
        if last_seen.lost and last_seen.cursor is None and head.cursor is None:
            last_seen.adopt(head)
        await asyncio.sleep(CHECK_INTERVAL)


async def _stay_above_reports(redis: Redis, committer: Committer) -> None:
    """An API that was started after the loss learns from the others how far the journal went."""
    for each in await read_reports(redis, committer.keys):
        if each.cursor is not None:  # an indexer was there, and will read again
            committer.stay_above(each.top)
