"""The API's memory of the journal: it notices that Redis was emptied, and gives no order after it.

Until the indexer has read the chain again, the commit refuses events below what this process saw.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.commit import Committer
from shared.losses import Memory, remember, reports

EVERY = 1.0
"""Seconds between two looks."""


async def first(redis: Redis, committer: Committer) -> None:
    """Look before the first request for what others know; Redis may be away."""
    with suppress(RedisError, OSError, TimeoutError):
        async with asyncio.timeout(EVERY):
            await _hear(redis, committer)


async def watch(
    redis: Redis, committer: Committer, memory: Memory, note: Callable[[str], None]
) -> None:
    """Look for ever. Where there never was an indexer nobody has to be told of a loss."""
    name, noted = secrets.token_hex(8), False
    while True:
        head = await remember(redis, committer.keys, memory, name=name)
        committer.saw(head.top)
        if head.cursor is None:
            await _hear(redis, committer)
        if memory.lost and not noted:
            note(memory.sentence)
        noted = memory.lost
        if memory.lost and memory.cursor is None and head.cursor is None:
            memory.forget(head)
        await asyncio.sleep(EVERY)


async def _hear(redis: Redis, committer: Committer) -> None:
    """An API that was started after the loss knows by the others how far the journal went."""
    for each in await reports(redis, committer.keys):
        if each.cursor is not None:  # an indexer was there, and will read again
            committer.saw(each.top)
