"""Read the journal's entries of a range of ledgers, and the streams before the range."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection

import orjson
from redis.asyncio import Redis

from services.indexer.commands.runner import CommandFailedError
from services.indexer.commands.verification import (
    Difference,
    Document,
    ExpectedEvents,
    field_differences,
)
from services.indexer.sources.ledger_range import cursor_before, next_ledger
from shared.domain.position import START, Position, parse_position
from shared.domain.stream import Stream
from shared.journal.keys import Keys
from shared.journal.progress import read_progress
from shared.journal.reader import Journal
from shared.journal.stream_document import stream_of
from shared.journal.streams import StoredStreams
from shared.journal.topic_index import TopicIndex
from shared.journal.wire import JournalEntry


class JournalRange:
    """The journal's entries of a range of ledgers.

    `first_kept`: the position of the oldest entry in the journal; 0-0 if nothing was trimmed.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        start: int,
        first_kept: Position,
        entries: list[JournalEntry],
    ) -> None:
        self.first_kept = first_kept
        self.entries = entries
        self._journal = Journal(redis, keys)
        self._streams = StoredStreams(redis, keys)
        self._topics = TopicIndex(redis, keys)
        self._start = start

    @classmethod
    async def of(cls, redis: Redis, keys: Keys, first: int, last: int) -> JournalRange:
        """Read the entries of ledgers `first` to `last`.

        Raises CommandFailedError if the indexer has not read these ledgers yet, or if the journal
        has trimmed them.
        """
        journal = Journal(redis, keys)
        progress = await read_progress(redis, keys)
        read = next_ledger(progress.cursor) - 1 if progress.cursor else 0
        if last > read:
            raise CommandFailedError(
                f"the indexer of {keys.namespace} has only read up to ledger {read}"
            )
        oldest = await journal.oldest()
        first_kept = START
        if oldest and oldest.previous not in ("0-0", str(progress.began)):
            first_kept = parse_position(oldest.position)
        if first_kept.ledger > last:
            raise CommandFailedError(
                f"the journal has no events from before ledger {first_kept.ledger}"
            )
        entries = await journal.of_ledgers(first, last)
        return cls(redis, keys, cursor_before(first) + 1, first_kept, entries)

    async def states(
        self, stream_ids: Collection[str | None]
    ) -> tuple[dict[str, Stream | None], dict[Position, Stream]]:
        """Return two dictionaries: the streams' states before the range, and adopted states.

        The first dictionary has each stream's state by stream id; None if the stream had no state.
        If the journal was trimmed, a stream may be older than the oldest entry. For such a stream,
        the second dictionary has the state after its first entry, by the position of that entry.
        """
        states: dict[str, Stream | None] = {}
        adopted: dict[Position, Stream] = {}
        for stream_id in filter(None, stream_ids):
            known, document = await self._document_before(stream_id)
            states[stream_id] = _stream(document)
            if not known and self.first_kept > START:
                adopted |= self._first(stream_id)
        return states, adopted

    def _first(self, stream_id: str) -> dict[Position, Stream]:
        """Return a stream's state after its first entry; empty if that entry created the stream."""
        for entry in self.entries:
            body = orjson.loads(entry.body)
            if body["streamId"] == stream_id:
                if "stream" not in body or body["stream"]["version"] == 1:
                    return {}
                return {parse_position(entry.position): stream_of(body["stream"])}
        return {}

    async def stored(self, expected: ExpectedEvents) -> AsyncIterator[Difference]:
        """Compare each stored stream with the state after its last event in the journal."""
        ids = dict.fromkeys(each.event.stream_id for each in expected.values())
        for stream_id in filter(None, ids):
            raw, last = await self._streams.document_and_last_position(stream_id)
            document: Document | None = orjson.loads(raw) if raw else None
            if last is None:
                continue
            event = expected.get(last)
            wanted = event.document if event and event.head else await self._document(last)
            if wanted is None:
                continue
            if document is None:
                yield Difference(f"stream {stream_id}", "missing", wanted, None)
            else:
                for each in field_differences(f"stream {stream_id}", "", wanted, document):
                    yield each

    async def _document_before(self, stream_id: str) -> tuple[bool, Document | None]:
        """Whether the stream has an event before the range, and its state after the last one."""
        found, *_ = await self._topics.positions(
            [stream_id], 1, before=Position(self._start, 0), newest_first=True
        )
        return bool(found), await self._document(found[0]) if found else None

    async def _document(self, position: Position) -> Document | None:
        """Read from the journal a stream's state after the event at a position; None if missing."""
        (entry,) = await self._journal.at([position])
        found: Document | None = orjson.loads(entry.body).get("stream") if entry else None
        return found


def _stream(document: Document | None) -> Stream | None:
    return stream_of(document) if document else None
