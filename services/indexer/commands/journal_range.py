"""What Redis holds of a range of ledgers: the journal's entries, the streams before and after."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection

import orjson
from redis.asyncio import Redis

from services.indexer.commands.runner import CommandFailedError
from services.indexer.commands.verification import Difference, Document, ExpectedEvents, differing
from services.indexer.sources.ledger_range import cursor_before, next_ledger
from shared.domain.position import START, Position, parse_position
from shared.domain.stream import Stream
from shared.journal.keys import Keys
from shared.journal.progress import read_progress
from shared.journal.reader import Journal
from shared.journal.streams import StoredStreams
from shared.journal.topic_index import TopicIndex
from shared.journal.wire import JournalEntry, stream_of


class JournalRange:
    """`begins`: the position of the first entry kept, 0-0 when none was trimmed."""

    def __init__(
        self, redis: Redis, keys: Keys, start: int, begins: Position, entries: list[JournalEntry]
    ) -> None:
        self.begins = begins
        self.entries = entries
        self._journal = Journal(redis, keys)
        self._streams = StoredStreams(redis, keys)
        self._topics = TopicIndex(redis, keys)
        self._start = start

    @classmethod
    async def of(cls, redis: Redis, keys: Keys, first: int, last: int) -> JournalRange:
        """Raises CommandFailedError when these ledgers were not read yet or were trimmed."""
        journal = Journal(redis, keys)
        progress = await read_progress(redis, keys)
        read = next_ledger(progress.cursor) - 1 if progress.cursor else 0
        if last > read:
            raise CommandFailedError(
                f"the indexer of {keys.namespace} has read up to ledger {read} so far"
            )
        oldest = await journal.oldest()
        begins = START
        if oldest and oldest.previous not in ("0-0", str(progress.began)):
            begins = parse_position(oldest.position)
        if begins.ledger > last:
            raise CommandFailedError(
                f"the journal keeps events from ledger {begins.ledger} on, no older"
            )
        entries = await journal.of_ledgers(first, last)
        return cls(redis, keys, cursor_before(first) + 1, begins, entries)

    async def states(
        self, stream_ids: Collection[str | None]
    ) -> tuple[dict[str, Stream | None], dict[Position, Stream]]:
        """The streams before the range; where that is trimmed, after their first entry in it."""
        known: dict[str, Stream | None] = {}
        given: dict[Position, Stream] = {}
        for stream_id in filter(None, stream_ids):
            last = await self._last_before(stream_id)
            known[stream_id] = _stream(await self._document(last)) if last else None
            if last is None and self.begins > START:
                given |= self._first(stream_id)
        return known, given

    def _first(self, stream_id: str) -> dict[Position, Stream]:
        """A stream's first entry with the state after it; nothing of one that begins here."""
        for entry in self.entries:
            body = orjson.loads(entry.body)
            if body["streamId"] == stream_id:
                if "stream" not in body or body["stream"]["version"] == 1:
                    return {}
                return {parse_position(entry.position): stream_of(body["stream"])}
        return {}

    async def stored(self, story: ExpectedEvents) -> AsyncIterator[Difference]:
        """Streams whose stored document is not that of their last event in the journal."""
        ids = dict.fromkeys(each.event.stream_id for each in story.values())
        for stream_id in filter(None, ids):
            raw, last = await self._streams.document_and_last_position(stream_id)
            document: Document | None = orjson.loads(raw) if raw else None
            if last is None:
                continue
            told = story.get(last)
            right = told.document if told and told.head else await self._document(last)
            if right is None:
                continue
            if document is None:
                yield Difference(f"stream {stream_id}", "missing", right, None)
            else:
                for each in differing(f"stream {stream_id}", "", right, document):
                    yield each

    async def _last_before(self, stream_id: str) -> Position | None:
        found = await self._topics.positions(
            [stream_id], 1, before=Position(self._start, 0), newest_first=True
        )
        return found[0] if found else None

    async def _document(self, place: Position) -> Document | None:
        """The stream after the event at that place, as the journal has it."""
        (entry,) = await self._journal.at([place])
        found: Document | None = orjson.loads(entry.body).get("stream") if entry else None
        return found


def _stream(document: Document | None) -> Stream | None:
    return stream_of(document) if document else None
