"""Rebuilds the document of a stream that is missing in Redis from its last event in the journal.

Every event of a known stream carries the state after it, which is the document as it was. A stream
that was made before START was never known: its events carry no state, and nothing is rebuilt.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson
import structlog
from redis.asyncio import Redis

from shared.domain.position import parse_position
from shared.domain.stream import Stream
from shared.journal.keys import Keys
from shared.journal.wire import entry_of, stream_of
from shared.runtime.metrics import LOST_DOCUMENT

log = structlog.get_logger()

_REMEMBERED = 10_000
_told: set[tuple[str, int]] = set()
"""A document that is read often and seldom changed is counted once."""


async def rebuilt(redis: Redis, keys: Keys, stream_ids: Collection[str]) -> dict[str, Stream]:
    """Those of these streams that have a state in the journal, each as after its last event."""
    if not stream_ids:
        return {}
    pipe = redis.pipeline(transaction=False)
    for stream_id in stream_ids:
        pipe.zrevrangebylex(keys.topic(stream_id), "+", "-", 0, 1)
    found = [members[0] for members in await pipe.execute() if members]
    if not found:
        return {}
    pipe = redis.pipeline(transaction=False)
    for member in found:
        place = str(parse_position(member.decode()))
        pipe.xrange(keys.journal, place, place)
    rows: list[Any] = [page[0] for page in await pipe.execute() if page]
    bodies = [orjson.loads(entry_of(*row).body) for row in rows]
    streams = [stream_of(body["stream"]) for body in bodies if "stream" in body]
    for stream in streams:
        _tell(keys.stream(stream.id), stream)
    return {stream.id: stream for stream in streams}


def _tell(key: str, stream: Stream) -> None:
    if (key, stream.version) in _told:
        return
    if len(_told) >= _REMEMBERED:
        _told.clear()
    _told.add((key, stream.version))
    LOST_DOCUMENT.inc()
    log.error("document_lost", stream=stream.id, version=stream.version)
