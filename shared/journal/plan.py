"""What a commit will write, computed from the events and the stored streams. Pure.

See docs/decisions/0011-events-name-both-parties.md,
docs/decisions/0017-stored-answers-in-the-commit.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from shared.domain.events import Event, EventType
from shared.domain.position import Position
from shared.domain.stream import Stream
from shared.domain.topics import topics_of
from shared.domain.transitions import apply
from shared.journal import indexes
from shared.journal.keys import CHANNEL, Keys
from shared.journal.stream_document import encode_stream
from shared.journal.wire import encode

StreamStates = Mapping[str, Stream | None]
"""The stored state of each stream that the events belong to; None for an unknown stream."""


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """One event and its topics; the state of its stream after the event; the stream it concerns.

    Normally `concerns` is the same as `after`. If the event comes before the creation of its stream
    in the same batch, `after` is None, and `concerns` is the stream as it will be created.
    """

    event: Event
    topics: tuple[str, ...]
    after: Stream | None
    concerns: Stream | None


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of the journal is kept: a number of entries, of bytes, and an age in seconds.

    `max_bytes` counts about the memory that the entries and their topic index need in Redis
    (retention.lua). A `max_age` of 0 means any age.
    """

    max_length: int = 1_000_000
    max_age: int = 0
    max_bytes: int = 1_500_000_000


@dataclass(frozen=True, slots=True)
class SourceProgress:
    """Progress of the source that a commit writes: `fields` of the progress hash.

    `after` is the cursor that the source was read from. If another cursor is stored, the commit is
    refused. `caught_up` says that, after a failover of Redis, the indexer has read again all events
    that subscribers may have received before.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    after: int | None = None
    caught_up: bool = False


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A reference to the response of a request, for repeated requests, stored under `key`.

    The script stores `prefix` and the position of the last event. The response is the document of
    the stream in this event.
    """

    key: str
    prefix: bytes
    seconds: int


@dataclass(frozen=True, slots=True)
class IndexLimit:
    """Refuse a commit if the index `name` (shared.journal.indexes) has `most` members or more."""

    name: str
    most: int


def plan_writes(events: Sequence[Event], streams: StreamStates) -> list[PlannedWrite]:
    """For each event, in order: its topics and the state of its stream after it.

    An event can come before the creation of its stream in the same transaction: `fee_collected`
    does. Then the parties are taken from the creation. Raises ValueError like `apply`.
    """
    current = dict(streams)
    coming = {e.stream_id: e for e in events if e.type is EventType.STREAM_CREATED}
    writes = []
    for event in events:
        before = current.get(event.stream_id or "")
        after = apply(before, event)
        known = after
        if known is None and event.stream_id in coming:
            known = apply(None, coming[event.stream_id])
        writes.append(PlannedWrite(event, topics_of(event, before, known), after, known))
        if event.stream_id is not None:
            current[event.stream_id] = after
    return writes


class CommitRequest:
    """KEYS and ARGV of commit.lua, which documents them."""

    def __init__(self, keys: Keys) -> None:
        self.keys = [keys.journal, keys.progress]
        self.args: list[str | bytes | int] = []
        self._keys = keys
        self._numbers: dict[str, int] = {}

    def _number(self, key: str) -> int:
        """The number of a key in KEYS, from 1. A key that is not there yet is added."""
        if key not in self._numbers:
            self.keys.append(key)
            self._numbers[key] = len(self.keys)
        return self._numbers[key]

    def _section(self, rows: Iterable[Sequence[str | bytes | int]]) -> None:
        rows = list(rows)
        self.args.append(len(rows))
        self.args.extend(chain.from_iterable(rows))

    def fill(
        self,
        writes: Sequence[PlannedWrite],
        *,
        streams: StreamStates,
        rebuilt: Collection[str],
        token: str,
        floor: Position,
        retention: Retention,
        progress: SourceProgress,
        dead: Sequence[bytes],
        response: StoredResponse | None,
        limit: IndexLimit | None,
    ) -> None:
        """Fill in a whole commit. `rebuilt` are the ids of streams whose document Redis lacks."""
        age = retention.max_age * 1_000_000
        fence = self._number(self._keys.fence) if token else 0
        self.args += [self._keys.namespace, CHANNEL, token, fence, str(floor)]
        self.args += [retention.max_length, retention.max_bytes, age, self._keys.topic("")]
        self.args += ["" if progress.after is None else progress.after, int(progress.caught_up)]
        self.args.append(self._keys.archive)
        responses = [response] if response else []
        limits = [limit] if limit else []
        self._section((self._number(r.key), r.prefix, r.seconds) for r in responses)
        self._section((self._number(self._keys.index(each.name)), each.most) for each in limits)
        self._section(
            (
                self._number(self._keys.stream(stream_id)),
                stream.version if stream and stream_id not in rebuilt else 0,
            )
            for stream_id, stream in streams.items()
        )
        self._section(self._event(write) for write in writes)
        self._section(self._index_groups(writes, streams))
        self._section(progress.fields.items())
        self._section((self._number(self._keys.dead_letters), dead_letter) for dead_letter in dead)

    def _event(self, write: PlannedWrite) -> tuple[str | bytes | int, ...]:
        header, body = encode(write.event, write.topics, write.concerns)
        position = str(write.event.position or "")
        if write.after is None:
            return (position, header, body[1:-1], 0, b"")
        key = self._number(self._keys.stream(write.after.id))
        document = encode_stream(write.after, write.event.timestamp)
        return (position, header, body[1:-1], key, document[:-1])

    def _index_groups(
        self, writes: Sequence[PlannedWrite], streams: StreamStates
    ) -> Iterable[Sequence[str | int]]:
        """The changes of the indexes, together for each index, because a commit has thousands."""
        groups: dict[tuple[str, int], list[str | int]] = {}
        for kind, number, score, member in self._index_changes(writes, streams):
            values = groups.setdefault((kind, number), [])
            values += (member,) if kind == "-" else (score, member)
        for (kind, number), values in groups.items():
            yield (kind, number, len(values), *values)

    def _index_changes(
        self, writes: Sequence[PlannedWrite], streams: StreamStates
    ) -> Iterable[tuple[str, int, int, str]]:
        final = {write.after.id: write.after for write in writes if write.after}
        for stream_id, after in final.items():
            before = streams.get(stream_id)
            for add, name, member, score in indexes.index_changes(before, after):
                number = self._number(self._keys.index(name))
                yield ("+" if add else "-", number, score, member)
            if before is None or before.token != after.token:
                for token, score in indexes.token_entry(after).items():
                    yield ("?", self._number(self._keys.index(indexes.TOKENS)), score, token)
