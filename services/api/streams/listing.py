"""Lists of streams, page by page, in order of creation or of the latest change.

With one filter, the list is read from the index of this filter. With several filters, the smallest
of their indexes is read, and each member is looked up in the other indexes. Then the stored stream
is checked against the filters, because the stream may have changed after the indexes were read.

One call reads a limited number of members, and about 1 MB of documents. So a page can be short or
empty and still have a `next`.

In order of creation, a member never moves. So a new stream does not disturb the pages, and a cursor
stays valid if the filters change. In order of change, a stream that changes between two pages moves
to the newest end of the list.

See docs/decisions/0097-lists-look-before-they-decode.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import orjson
from redis.asyncio import Redis

from shared.domain.stream import Acceptance
from shared.journal.indexes import EVERYTHING, by_change, indexes_of, stream_id_of
from shared.journal.keys import Keys
from shared.journal.read_size import READ_BYTES, ReadSize
from shared.journal.stream_indexes import StreamIndexes
from shared.journal.streams import StoredStream

LoadStreams = Callable[[Collection[str]], Awaitable[Mapping[str, StoredStream | None]]]

CHUNK_SIZE = 250
"""Index members per read, if some may not match."""

_FIRST_READ = 64
"""Documents in the first read of a page, mostly the whole page. A document has at most 16 KB."""

MAX_READ = 1000
"""The largest number of index members that are read for one page, if some may not match."""


@dataclass(frozen=True, slots=True)
class StreamListPage:
    """A page of streams.

    `last` is the index member to continue after, None at the end of the list. `total` is the number
    of streams that match, None if it is not known.
    """

    streams: Sequence[StoredStream]
    last: str | None
    total: int | None


class StreamListing:
    """Lists of the streams of one namespace. `load` reads stored streams by their ids."""

    def __init__(self, redis: Redis, keys: Keys, load: LoadStreams) -> None:
        self._indexes = StreamIndexes(redis, keys)
        self._load = load

    async def page(
        self,
        wanted: frozenset[str],
        *,
        after: str | None,
        limit: int,
        newest_first: bool,
        by_latest_change: bool = False,
        acceptance: Acceptance | None = None,
        size: int = READ_BYTES,
    ) -> StreamListPage:
        """At most `limit` streams that are in all indexes of `wanted`, after the member `after`.

        With `acceptance`, which has no index of its own, only the streams with this acceptance.
        About `size` bytes of documents are read.
        """
        sizes = await self._indexes.sizes(wanted)
        names = sorted(wanted, key=sizes.__getitem__)
        total = sizes[names[0]] if len(names) == 1 and not acceptance else None
        index, others = names[0], names[1:]
        if by_latest_change:
            index, others = _by_change(names), []
        is_whole_list = _is_whole_list(index, wanted) and not acceptance
        count, rounds = (
            (limit + 1, 1) if is_whole_list else (CHUNK_SIZE, max(1, MAX_READ // CHUNK_SIZE))
        )
        if not sizes[names[0]]:
            return StreamListPage([], None, total)
        documents = _Documents(self._load, size)
        texts = _texts_of(wanted, acceptance)
        found: list[StoredStream] = []
        read = after
        for _ in range(rounds):
            members = await self._indexes.members(index, read, count, newest_first=newest_first)
            matching = await self._indexes.in_all(members, others)
            # Almost every stream that is in all indexes matches the filters. So load only as many
            # streams as the page still needs.
            needed = matching[: limit + 1 - len(found)] if others else matching
            loaded = 0
            while part := await documents.load(needed[loaded:]):
                loaded += len(part)
                for member, stored in part:
                    if len(found) == limit:
                        return StreamListPage(found, after, total)
                    after = member
                    if stored is not None and _matches(stored, texts, wanted, acceptance):
                        found.append(stored)
            if loaded < len(matching):
                return StreamListPage(found, after, total)
            if len(members) < count:
                return StreamListPage(found, None, total)
            if len(found) == limit:
                break
            after = read = members[-1]
        return StreamListPage(found, after, total)


class _Documents:
    """Loads streams in parts, until about `size` bytes of documents were read."""

    def __init__(self, load: LoadStreams, size: int) -> None:
        self._load = load
        self._left = size
        self._size = ReadSize(_FIRST_READ, largest=READ_BYTES // _FIRST_READ)

    async def load(self, members: Sequence[str]) -> list[tuple[str, StoredStream | None]]:
        """The streams of the first of these members; none if enough bytes were read."""
        if self._left <= 0 or not members:
            return []
        part = members[: self._size.within(self._left)]
        streams = await self._load([stream_id_of(member) for member in part])
        sizes = [len(stored.document) for stored in streams.values() if stored]
        self._size.saw(sizes)
        self._left -= sum(sizes)
        return list(zip(part, streams.values(), strict=True))


_FIELDS = {
    "sender": "sender",
    "recipient": "recipient",
    "status": "status",
    "token": "tokenAddress",
    "origin": "origin",
    Acceptance.PENDING: "recipient",
    Acceptance.HIDDEN: "recipient",
}
"""For each kind of index, the field of a document that has the value in the index' name."""


def _texts_of(wanted: frozenset[str], acceptance: Acceptance | None) -> list[bytes]:
    """Texts in the document of every matching stream.

    To decode a document takes ten times as long as to look for these texts. The index of a user
    and accepted streams have none: documents of earlier versions have no field `acceptance`.
    """
    named = (name.partition(":")[::2] for name in wanted)
    fields = {_FIELDS[kind]: value for kind, value in named if kind in _FIELDS}
    if acceptance not in (None, Acceptance.ACCEPTED):
        fields["acceptance"] = acceptance
    return [orjson.dumps({name: value})[1:-1] for name, value in fields.items()]


def _matches(
    stored: StoredStream,
    texts: Sequence[bytes],
    wanted: frozenset[str],
    acceptance: Acceptance | None,
) -> bool:
    if not all(text in stored.document for text in texts):
        return False
    stream = stored.stream
    return wanted <= indexes_of(stream) and acceptance in (None, stream.acceptance)


def _is_whole_list(index: str, wanted: frozenset[str]) -> bool:
    """True if the index has just the wanted streams.

    `updated:user:<account>` also has streams that the account has not accepted.
    """
    return wanted == {index.removeprefix("updated:")} and not index.startswith("updated:user:")


def _by_change(names: Sequence[str]) -> str:
    """The first of these indexes that also exists in order of change; else that of all streams."""
    found = (by_change(name) for name in names)
    return next(filter(None, found), None) or f"updated:{EVERYTHING}"
