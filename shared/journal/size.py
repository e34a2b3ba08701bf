"""How many bytes of Redis' memory the journal uses, and how fast it grows, as metrics.

Each entry has the field `s`: about how many bytes all entries up to and including it need, since
the journal began. So two entries tell the size (retention.lua).

See docs/decisions/0100-memory-and-disk-are-told-before-they-are-full.md.
"""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from prometheus_client import Gauge
from redis.asyncio import Redis

from shared.journal.keys import Keys

BYTES = Gauge("headrace_journal_bytes", "About how much memory of Redis the journal uses")
WRITTEN = Gauge("headrace_journal_written_bytes", "The same for all events since the journal began")
_INTERVAL = 10.0


class JournalSize(NamedTuple):
    """Bytes of the entries that are in the journal, and of all entries since it began."""

    bytes: int
    written: int


async def read_size(redis: Redis, keys: Keys) -> JournalSize:
    """The journal's size, in one round trip. (0, 0) while it is empty."""
    pipe = redis.pipeline(transaction=False)
    pipe.xrange(keys.journal, count=1)
    pipe.xrevrange(keys.journal, count=1)
    first, last = (_sum_of(rows) for rows in await pipe.execute())
    return JournalSize(last - first, last)


def _sum_of(rows: Any) -> int:
    """The field `s` of the only row. 0 without a row, or for an entry of an older version."""
    return int(rows[0][1].get(b"s", 0)) if rows else 0


async def watch_size(redis: Redis, keys: Keys) -> None:
    """Set the metrics for ever. Raises redis-py's errors."""
    while True:
        size = await read_size(redis, keys)
        BYTES.set(size.bytes)
        WRITTEN.set(size.written)
        await asyncio.sleep(_INTERVAL)
