"""The stored streams: one JSON document each. A missing document is rebuilt from the journal.

Every event of a known stream contains the document of the stream after the event. A stream that was
created before the indexer's START is not known: its events contain no document, so it cannot be
rebuilt.

See docs/decisions/0051-progress-and-documents-are-rebuilt.md.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson
import structlog
from redis.asyncio import Redis

from shared.domain.position import Position, parse_position
from shared.domain.stream import Stream
from shared.journal.keys import Keys
from shared.journal.reader import Journal, JournalTip, parse_tip, queue_tip
from shared.journal.reported import Reported
from shared.journal.stream_document import decode_stream, encode_stream, stream_of
from shared.journal.topic_index import TopicIndex
from shared.runtime.metrics import LOST_DOCUMENT

log = structlog.get_logger()

_reported = Reported()
"""Key and version of each lost document that was counted."""


class StoredStream:
    """A stream, and its document as it is stored. The document is decoded when it is needed."""

    __slots__ = ("_stream", "document")

    def __init__(self, document: bytes, stream: Stream | None = None) -> None:
        self.document = document
        self._stream = stream

    @property
    def stream(self) -> Stream:
        """The state in the document."""
        if self._stream is None:
            self._stream = decode_stream(self.document)
        return self._stream


class StoredStreams:
    """The streams of one namespace."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._journal = Journal(redis, keys)
        self._topics = TopicIndex(redis, keys)

    async def load(self, stream_ids: Collection[str]) -> dict[str, Stream | None]:
        """The stored states of these streams, None where there is no document."""
        return {
            stream_id: decode_stream(document) if document else None
            for stream_id, document in (await self._read(stream_ids)).items()
        }

    async def find(self, stream_ids: Collection[str]) -> dict[str, Stream | None]:
        """The states of these streams, rebuilt where a document is missing; None if unknown."""
        streams = await self.load(stream_ids)
        missing = [stream_id for stream_id, stream in streams.items() if stream is None]
        return streams | await self.rebuild(missing)

    async def documents(self, stream_ids: Collection[str]) -> dict[str, StoredStream | None]:
        """Like `find`, but with the stored documents, which the caller need not encode again."""
        found = {
            stream_id: StoredStream(document) if document else None
            for stream_id, document in (await self._read(stream_ids)).items()
        }
        missing = [stream_id for stream_id, stream in found.items() if stream is None]
        for stream_id, stream in (await self.rebuild(missing)).items():
            found[stream_id] = _encoded(stream)
        return found

    async def document_and_tip(self, stream_id: str) -> tuple[StoredStream | None, JournalTip]:
        """One stream (None if unknown), and the tip read just before it, in one round trip."""
        pipe = self._redis.pipeline(transaction=False)
        queue_tip(pipe, self._keys)
        pipe.get(self._keys.stream(stream_id))
        progress, rows, document = await pipe.execute()
        tip = parse_tip(progress, rows)
        if document:
            return StoredStream(document), tip
        rebuilt = (await self.rebuild([stream_id])).get(stream_id)
        return _encoded(rebuilt) if rebuilt else None, tip

    async def document_and_last_position(
        self, stream_id: str
    ) -> tuple[bytes | None, Position | None]:
        """The stored document and the position of the stream's last event, at the same moment."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zrevrange(self._keys.topic(stream_id), 0, 0)
            pipe.get(self._keys.stream(stream_id))
            members, document = await pipe.execute()
        return document, parse_position(members[0].decode()) if members else None

    async def rebuild(self, stream_ids: Collection[str]) -> dict[str, Stream]:
        """The state of each stream from its last event, if the journal has this event.

        Nothing is written. The next commit of the stream stores the document again.
        """
        if not stream_ids:
            return {}
        entries = await self._journal.at(await self._topics.latest([*stream_ids]))
        bodies = [orjson.loads(entry.body) for entry in entries if entry]
        streams = [stream_of(body["stream"]) for body in bodies if "stream" in body]
        for stream in streams:
            _report_lost(self._keys.stream(stream.id), stream)
        return {stream.id: stream for stream in streams}

    async def _read(self, stream_ids: Collection[str]) -> dict[str, bytes | None]:
        if not stream_ids:
            return {}
        rows: Any = await self._redis.mget([self._keys.stream(each) for each in stream_ids])
        return dict(zip(stream_ids, rows, strict=True))


def _encoded(stream: Stream) -> StoredStream:
    return StoredStream(encode_stream(stream, stream.updated_at), stream)


def _report_lost(key: str, stream: Stream) -> None:
    if not _reported.is_new((key, stream.version)):
        return
    LOST_DOCUMENT.inc()
    log.error("document_lost", stream=stream.id, version=stream.version)
