"""What a commit writes, worked out beforehand: pure, from events and the streams before them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from shared.domain.events import Event, EventType
from shared.domain.position import Position
from shared.domain.stream import Stream, apply
from shared.domain.topics import topics_of
from shared.journal import indexes
from shared.journal.keys import CHANNEL, Keys
from shared.journal.wire import encode, encode_stream

StreamStates = Mapping[str, Stream | None]
"""The stored state of each stream that the events touch; None where there is none."""


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """One event, its topics, the state after it, and the stream whose parties it concerns.

    `concerns` is `after`, or for an event that precedes its stream's creation what is coming.
    """

    event: Event
    topics: tuple[str, ...]
    after: Stream | None
    concerns: Stream | None


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of the journal is kept: entries, and seconds (0 = any age)."""

    max_length: int = 1_000_000
    max_age: int = 0


@dataclass(frozen=True, slots=True)
class SourceProgress:
    """How far the source is read: `fields` of the hash, `cursor` among them.

    `after` is the cursor that was read from, which has to be the stored one. `caught_up` says that
    all is read which subscribers can have been told before this Redis took over from another.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    after: int | None = None
    caught_up: bool = False


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """What a repeated request shall be answered: kept under `key` by the commit that earned it.

    The commit puts a newline and the document of the last event's stream behind `head`.
    """

    key: str
    body_digest: bytes
    seconds: int


def plan_writes(events: Sequence[Event], streams: StreamStates) -> list[PlannedWrite]:
    """Each event with its topics and its stream's state after it, in order.

    An event that precedes its stream's creation in the same batch (fee_collected does, in one
    transaction) gets the parties from there. Raises ValueError where `apply` does.
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
    """KEYS and ARGV of commit.lua, which describes them."""

    def __init__(self, keys: Keys) -> None:
        self.keys = [keys.journal, keys.progress]
        self.args: list[str | bytes | int] = []
        self._keys = keys
        self._places: dict[str, int] = {}

    def _place(self, key: str) -> int:
        if key not in self._places:
            self.keys.append(key)
            self._places[key] = len(self.keys)
        return self._places[key]

    def _section(self, rows: Iterable[Sequence[str | bytes | int]]) -> None:
        rows = list(rows)
        self.args.append(len(rows))
        self.args.extend(chain.from_iterable(rows))

    def fill(
        self,
        writes: Sequence[PlannedWrite],
        *,
        streams: StreamStates,
        gone: Collection[str],
        token: str,
        floor: Position,
        retention: Retention,
        progress: SourceProgress,
        dead: Sequence[bytes],
        answer: StoredResponse | None,
    ) -> None:
        """Lay out a whole commit. `gone`: streams whose document is missing in Redis."""
        age = retention.max_age * 1_000_000
        fence = self._place(self._keys.fence) if token else 0
        self.args += [self._keys.namespace, CHANNEL, token, fence, str(floor)]
        self.args += [retention.max_length, age, self._keys.topic("")]
        self.args += ["" if progress.after is None else progress.after, int(progress.caught_up)]
        answers = [answer] if answer else []
        self._section((self._place(a.key), a.body_digest, a.seconds) for a in answers)
        self._section(
            (
                self._place(self._keys.stream(stream_id)),
                stream.version if stream and stream_id not in gone else 0,
            )
            for stream_id, stream in streams.items()
        )
        self._section(self._event(write) for write in writes)
        self._section(self._index_changes(writes, streams))
        self._section(progress.fields.items())
        self._section((self._place(self._keys.dead_letters), letter) for letter in dead)

    def _event(self, write: PlannedWrite) -> tuple[str | bytes | int, ...]:
        head, body = encode(write.event, write.topics, write.concerns)
        position = str(write.event.position or "")
        if write.after is None:
            return (position, head, body, 0, b"")
        key = self._place(self._keys.stream(write.after.id))
        return (position, head, body, key, encode_stream(write.after, write.event.timestamp))

    def _index_changes(
        self, writes: Sequence[PlannedWrite], streams: StreamStates
    ) -> Iterable[tuple[str, int, int, str]]:
        final = {write.after.id: write.after for write in writes if write.after}
        for stream_id, after in final.items():
            for add, name, member, score in indexes.index_changes(streams.get(stream_id), after):
                place = self._place(self._keys.index(name))
                yield ("+" if add else "-", place, score, member)
