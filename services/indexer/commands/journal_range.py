"""What Redis holds of a range of ledgers: the journal's entries, the streams before and after."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Any

import orjson
from redis.asyncio import Redis

from services.indexer.commands.runner import CommandFailedError
from services.indexer.commands.verification import Difference, Document, ExpectedEvents, differing
from services.indexer.sources.ledger_range import cursor_before, next_ledger
from shared.domain.position import START, Position, parse_position
from shared.domain.stream import Stream
from shared.journal.keys import Keys
from shared.journal.wire import JournalEntry, entry_of, stream_of

_PAGE = 1_000


class JournalRange:
    """`begins`: the position of the first entry kept, 0-0 when none was trimmed."""

    def __init__(
        self, redis: Redis, keys: Keys, start: int, begins: Position, entries: list[JournalEntry]
    ) -> None:
        self.begins = begins
        self.entries = entries
        self._redis = redis
        self._keys = keys
        self._start = start

    @classmethod
    async def of(cls, redis: Redis, keys: Keys, first: int, last: int) -> JournalRange:
        """Raises CommandFailedError when these ledgers were not read yet or were trimmed."""
        stored: Any = await redis.hmget(keys.progress, ["cursor", "began"])
        cursor, began = stored
        read = next_ledger(int(cursor)) - 1 if cursor else 0
        if last > read:
            raise CommandFailedError(
                f"the indexer of {keys.namespace} has read up to ledger {read} so far"
            )
        oldest: Any = await redis.xrange(keys.journal, count=1)
        begins = START
        if oldest and oldest[0][1][b"p"] not in (b"0-0", began):
            begins = parse_position(oldest[0][0].decode())
        if begins.ledger > last:
            raise CommandFailedError(
                f"the journal keeps events from ledger {begins.ledger} on, no older"
            )
        start, end = cursor_before(first) + 1, cursor_before(last + 1)
        entries: list[JournalEntry] = []
        at = str(start)
        while page := await redis.xrange(keys.journal, at, end, count=_PAGE):
            rows: Any = page
            entries += [entry_of(position, fields) for position, fields in rows]
            at = f"({entries[-1].position}"
        return cls(redis, keys, start, begins, entries)

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
            last, document = await self._stored(stream_id)
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

    async def _stored(self, stream_id: str) -> tuple[Position | None, Document | None]:
        """The position of its last event, and its document, as they are at one moment."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zrevrange(self._keys.topic(stream_id), 0, 0)
            pipe.get(self._keys.stream(stream_id))
            places, raw = await pipe.execute()
        last = parse_position(places[0].decode()) if places else None
        return last, orjson.loads(raw) if raw else None

    async def _last_before(self, stream_id: str) -> Position | None:
        most = f"({Position(self._start, 0).padded}"
        found: Any = await self._redis.zrevrangebylex(
            self._keys.topic(stream_id), most, "-", start=0, num=1
        )
        return parse_position(found[0].decode()) if found else None

    async def _document(self, place: Position) -> Document | None:
        """The stream after the event at that place, as the journal has it."""
        rows: Any = await self._redis.xrange(self._keys.journal, str(place), str(place))
        found: Document | None = orjson.loads(rows[0][1][b"b"]).get("stream") if rows else None
        return found


def _stream(document: Document | None) -> Stream | None:
    return stream_of(document) if document else None
