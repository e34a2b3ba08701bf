"""Add the tokens of streams that were stored before the token schedule existed.

The commit of a new stream adds the token of this stream. So this is needed once in a namespace, and
again if somebody deletes the schedule.
"""

from __future__ import annotations

import asyncio

import structlog
from redis.asyncio import Redis

from shared.journal.indexes import EVERYTHING, token_entry
from shared.journal.keys import Keys
from shared.journal.stream_indexes import StreamIndexes
from shared.journal.streams import StoredStreams
from shared.journal.tokens import TokenSchedule

log = structlog.get_logger()

_STREAMS = 200
"""Streams in a read. Other tasks can run between two reads."""
_PAUSE = 0.02


async def schedule_tokens_of_old_streams(redis: Redis, keys: Keys) -> None:
    """Add the tokens of all stored streams to the schedule. Do nothing if that was done before."""
    schedule, indexes = TokenSchedule(redis, keys), StreamIndexes(redis, keys)
    if await schedule.is_complete():
        return
    streams = StoredStreams(redis, keys)
    known: set[str] = set()
    async for stream_ids in indexes.walk(EVERYTHING, _STREAMS, newest_first=True):
        found = await streams.load(stream_ids)
        entries = [token_entry(stream) for stream in found.values() if stream]
        new = {t: score for entry in entries for t, score in entry.items() if t not in known}
        await schedule.add(new)
        known |= new.keys()
        await asyncio.sleep(_PAUSE)
    await schedule.set_complete()
    log.info("tokens_scheduled", tokens=len(known))
