"""Fills an empty namespace with old events and streams, exactly as the commits had written them.

Only a restore from the archive uses this. Streams can be written in any order. Entries are written
oldest first. The progress comes last: until then, no other process takes the journal for whole.

See docs/decisions/0122-restore-brings-the-journal-back.md.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from shared.domain.position import parse_position
from shared.journal import indexes
from shared.journal.keys import Keys
from shared.journal.stream_document import decode_stream
from shared.journal.topic_index import BROADCASTS
from shared.journal.wire import JournalEntry

_UNSETTLED = "unsettled"
"""In place of the id of Redis. So the commit refuses the API's events (commit.lua, `unsettled`)."""


def header_of(entry: JournalEntry) -> str:
    """The field `h` of an entry."""
    return " ".join((entry.type, *entry.topics))


def cost_of(entry: JournalEntry) -> int:
    """About how many bytes of Redis an entry needs, as retention.lua computes it."""
    size = len(header_of(entry).encode()) + len(entry.body)
    return math.ceil(1.25 * size) + 150 * max(len(entry.topics), 1)


class NamespaceWriter:
    """Writes to one namespace. All methods raise redis-py's errors."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

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
        pipe = self._redis.pipeline(transaction=False)
        scores: dict[str, dict[str, int]] = defaultdict(dict)
        tokens: dict[str, int] = {}
        for document in documents:
            stream = decode_stream(document)
            pipe.set(self._keys.stream(stream.id), document)
            for (name, member), score in indexes.entries_of(stream).items():
                scores[name][member] = score
            for token, score in indexes.token_entry(stream).items():
                tokens[token] = min(score, tokens.get(token, score))
        for name, members in scores.items():
            pipe.zadd(self._keys.index(name), members)
        if tokens:
            pipe.zadd(self._keys.index(indexes.TOKENS), tokens, lt=True)
        await pipe.execute()

    async def write_entries(self, entries: Sequence[JournalEntry], total: int) -> int:
        """Append entries to the journal and to the sets of their topics.

        `total`: the costs of all earlier entries. Returns it with the costs of these entries.
        """
        pipe = self._redis.pipeline(transaction=False)
        members: dict[str, list[Any]] = defaultdict(list)
        for entry in entries:
            total += cost_of(entry)
            parts = ("p", entry.previous, "h", header_of(entry), "b", entry.body, "s", total)
            pipe.execute_command("XADD", self._keys.journal, entry.position, *parts)
            member = parse_position(entry.position).padded
            for topic in entry.topics or (BROADCASTS,):
                members[topic] += (0, member)
        for topic, values in members.items():
            pipe.execute_command("ZADD", self._keys.topic(topic), *values)
        await pipe.execute()
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
