"""Fills an empty namespace with old events and streams, exactly as the commits had written them.

Only a restore from the archive uses this. Streams can be written in any order. Entries are written
oldest first. The progress comes last: until then, no other process takes the journal for whole.

See docs/decisions/0122-restore-brings-the-journal-back.md.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from shared.domain.position import padded
from shared.journal import indexes
from shared.journal.keys import Keys
from shared.journal.stream_document import decode_stream
from shared.journal.topic_index import BROADCASTS
from shared.journal.wire import JournalEntry
from shared.redis.scripts import load_script

_SETS = "".join(load_script(__package__, name) for name in ("topic_sets", "rebuild_sets"))
_ENTRIES = load_script(__package__, "rebuild_entries")
_UNSETTLED = "unsettled"
"""In place of the id of Redis. So the commit refuses the API's events (commit.lua, `unsettled`)."""

_PART = 4_000
"""About how many scores and members one call writes."""

Members = dict[str, list[str | int]]
"""For each sorted set, scores and members in turn."""


def header_of(entry: JournalEntry) -> str:
    """The field `h` of an entry."""
    return " ".join((entry.type, *entry.topics))


def cost_of(entry: JournalEntry) -> int:
    """About how many bytes of Redis an entry needs, as retention.lua computes it."""
    size = len(header_of(entry).encode()) + len(entry.body)
    return math.ceil(1.25 * size) + 150 * max(len(entry.topics), 1)


class TopicMembers:
    """Members of the sets of topics, collected from many entries. `size` is their number.

    A call for each set costs Redis more than its members. So it gets many at once.
    """

    def __init__(self, entries: Iterable[JournalEntry] = ()) -> None:
        self.size = 0
        self._members: Members = defaultdict(list)
        self.add(entries)

    def add(self, entries: Iterable[JournalEntry]) -> None:
        """Collect the positions of these entries."""
        for entry in entries:
            member = padded(entry.position)
            for topic in entry.topics or (BROADCASTS,):
                self._members[topic] += (0, member)
                self.size += 1

    def parts(self) -> Iterator[Members]:
        """The sets by topic, in parts that Redis writes in some milliseconds each."""
        part, size = Members(), 0
        for topic, values in self._members.items():
            for n in range(0, len(values), _PART):
                part[topic] = values[n : n + _PART]
                size += len(part[topic])
                if size >= _PART:
                    yield part
                    part, size = Members(), 0
        yield part


class NamespaceWriter:
    """Writes to one namespace. All methods raise redis-py's errors."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._sets = redis.register_script(_SETS)
        self._entries = redis.register_script(_ENTRIES)

    async def is_empty(self) -> bool:
        """True if there is no journal, no progress and no stream."""
        keys = self._keys
        names = (keys.journal, keys.progress, keys.index(indexes.EVERYTHING))
        return not await self._redis.exists(*names)

    async def begin(self) -> None:
        """Until `finish`, the API cannot commit."""
        await self._redis.hset(self._keys.progress, "server", _UNSETTLED)

    async def write_streams(self, documents: Sequence[bytes]) -> None:
        """Write streams, given by their stored documents, and all their index entries."""
        streams = [decode_stream(document) for document in documents]
        members: Members = defaultdict(list)
        tokens: dict[str, int] = {}
        for stream in streams:
            for (name, member), score in indexes.entries_of(stream).items():
                members[self._keys.index(name)] += (score, member)
            for token, score in indexes.token_entry(stream).items():
                tokens[token] = min(score, tokens.get(token, score))
        if tokens:
            pairs = [each for token, score in tokens.items() for each in (score, token)]
            members[self._keys.index(indexes.TOKENS)] = pairs
        names = [self._keys.stream(stream.id) for stream in streams]
        stored = dict(zip(names, documents, strict=True))
        await self._write(stored, members, "LT" if tokens else "")

    async def write_topics(self, collected: TopicMembers) -> None:
        """Write the members of the sets of topics."""
        for part in collected.parts():
            sets: Members = {self._keys.topic(topic): each for topic, each in part.items()}
            await self._write({}, sets)

    async def _write(self, documents: Mapping[str, bytes], sets: Members, option: str = "") -> None:
        """Write documents and sorted sets by their keys. `option`: of ZADD for the last set."""
        arguments: list[str | int | bytes] = [len(documents), option, *documents.values()]
        for values in sets.values():
            arguments += (len(values), *values)
        await self._sets(keys=[*documents, *sets], args=arguments)

    async def write_entries(self, entries: Iterable[JournalEntry], total: int) -> int:
        """Append entries to the journal.

        `total`: the costs of all earlier entries. Returns it with the costs of these entries.
        """
        arguments: list[str | int | bytes] = []
        for entry in entries:
            total += cost_of(entry)
            arguments += (entry.position, entry.previous, header_of(entry), entry.body, total)
        await self._entries(keys=[self._keys.journal], args=arguments)
        return total

    async def finish(self, progress: Mapping[str, str]) -> None:
        """Write the progress. The API can commit when the indexer has read the present."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.delete(self._keys.progress)
        fields: Any = dict(progress)
        if "cursor" in fields:
            fields["server"] = _UNSETTLED
        if fields:
            pipe.hset(self._keys.progress, mapping=fields)
        await pipe.execute()
