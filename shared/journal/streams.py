"""The stored streams: one JSON document each; a missing one is rebuilt from the journal.

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
from shared.journal.wire import decode_stream, entry_of, stream_of
from shared.runtime.metrics import LOST_DOCUMENT

log = structlog.get_logger()

_REMEMBERED = 10_000
_reported: set[tuple[str, int]] = set()
"""Lost documents that were counted; each version is counted once, however often it is read."""


class StoredStreams:
    """The streams of one namespace, by their documents."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def load(self, stream_ids: Collection[str]) -> dict[str, Stream | None]:
        """The stored states of these streams, None where there is no document."""
        if not stream_ids:
            return {}
        raw = await self._redis.mget([self._keys.stream(i) for i in stream_ids])
        return {
            stream_id: decode_stream(document) if document else None
            for stream_id, document in zip(stream_ids, raw, strict=True)
        }

    async def find(self, stream_ids: Collection[str]) -> dict[str, Stream | None]:
        """The states of these streams, rebuilt where a document is missing; None if unknown."""
        streams = await self.load(stream_ids)
        missing = [stream_id for stream_id, stream in streams.items() if stream is None]
        return streams | await self.rebuild(missing)

    async def rebuild(self, stream_ids: Collection[str]) -> dict[str, Stream]:
        """The states of these streams after their last events in the journal, where there are any.

        Nothing is written; the next commit of the stream stores the document again.
        """
        if not stream_ids:
            return {}
        pipe = self._redis.pipeline(transaction=False)
        for stream_id in stream_ids:
            pipe.zrevrangebylex(self._keys.topic(stream_id), "+", "-", 0, 1)
        last = [members[0] for members in await pipe.execute() if members]
        if not last:
            return {}
        pipe = self._redis.pipeline(transaction=False)
        for member in last:
            position = str(parse_position(member.decode()))
            pipe.xrange(self._keys.journal, position, position)
        rows: list[Any] = [page[0] for page in await pipe.execute() if page]
        bodies = [orjson.loads(entry_of(*row).body) for row in rows]
        streams = [stream_of(body["stream"]) for body in bodies if "stream" in body]
        for stream in streams:
            _report_lost(self._keys.stream(stream.id), stream)
        return {stream.id: stream for stream in streams}


def _report_lost(key: str, stream: Stream) -> None:
    if (key, stream.version) in _reported:
        return
    if len(_reported) >= _REMEMBERED:
        _reported.clear()
    _reported.add((key, stream.version))
    LOST_DOCUMENT.inc()
    log.error("document_lost", stream=stream.id, version=stream.version)
