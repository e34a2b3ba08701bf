"""Fills an empty namespace with old events and streams, exactly as the commits had written them.

Only a restore from the archive uses this. Streams can be written in any order. Entries are written
oldest first. The progress comes last: until then, no other process takes the journal for whole.

See docs/decisions/0122-restore-brings-the-journal-back.md.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from shared.journal import indexes
from shared.journal.keys import Keys
from shared.journal.stream_document import decode_stream
from shared.journal.wire import JournalEntry
from shared.redis.scripts import load_script

_STREAMS = "".join(load_script(__package__, name) for name in ("topic_sets", "rebuild_streams"))
_ENTRIES = "".join(
    load_script(__package__, name) for name in ("topic_sets", "retention", "rebuild_entries")
)
_UNSETTLED = "unsettled"
"""In place of the id of Redis. So the commit refuses the API's events (commit.lua, `unsettled`)."""


def header_of(entry: JournalEntry) -> str:
    """The field `h` of an entry."""
    return " ".join((entry.type, *entry.topics))


def cost_of(entry: JournalEntry) -> int:
    """About how many bytes of Redis an entry needs, as retention.lua computes it."""
    size = len(header_of(entry).encode()) + len(entry.body)
    return math.ceil(1.25 * size) + 150 * max(len(entry.topics), 1)


def arguments_of(entries: Iterable[JournalEntry]) -> list[str | bytes]:
    """The entries as NamespaceWriter.write_entries needs them."""
    arguments: list[str | bytes] = []
    for entry in entries:
        arguments += (entry.position, entry.previous, header_of(entry), entry.body)
    return arguments


class NamespaceWriter:
    """Writes to one namespace. All methods raise redis-py's errors."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._streams = redis.register_script(_STREAMS)
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
        members: dict[str, list[str | int]] = defaultdict(list)
        tokens: dict[str, int] = {}
        for stream in streams:
            for (name, member), score in indexes.entries_of(stream).items():
                members[name] += (score, member)
            for token, score in indexes.token_entry(stream).items():
                tokens[token] = min(score, tokens.get(token, score))
        groups = list(members.items())
        if tokens:
            groups.append((indexes.TOKENS, [x for t, score in tokens.items() for x in (score, t)]))
        keys = [self._keys.stream(stream.id) for stream in streams]
        keys += [self._keys.index(name) for name, _ in groups]
        arguments: list[str | int | bytes] = [len(documents), "LT" if tokens else "", *documents]
        for _, values in groups:
            arguments += (len(values), *values)
        await self._streams(keys=keys, args=arguments)

    async def write_entries(self, arguments: Sequence[str | bytes], total: int) -> int:
        """Append entries, given by `arguments_of`, to the journal and to the sets of their topics.

        `total`: the costs of all earlier entries. Returns it with the costs of these entries.
        """
        own = [self._keys.topic(""), total, *arguments]
        return int(await self._entries(keys=[self._keys.journal], args=own))

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
