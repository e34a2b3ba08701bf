"""Verification: what the journal and the stored streams should be, against what they are. Pure.

The commit is done over again, in mind: the chain's events as a source tells them, the API's as the
journal has them, in one order, applied to the streams as they were before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import orjson

from shared.domain.events import Event, EventType, Origin, Provenance
from shared.domain.instant import unix_seconds
from shared.domain.position import Position, parse_position
from shared.domain.stream import Stream
from shared.journal.plan import StreamStates, plan_writes
from shared.journal.wire import JournalEntry, encode, stream_document

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One finding, JSON-ready. `where` is a position, or `stream <id>` for a stored document."""

    where: str
    what: str
    expected: object
    found: object


@dataclass(frozen=True, slots=True)
class ExpectedEvent:
    """One event as the journal should have it; `head` None where nobody can know its topics."""

    event: Event
    head: str | None
    body: Document

    @property
    def document(self) -> Document | None:
        """Its stream after it; None where there is none, or none that could be told."""
        found: Document | None = self.body.get("stream")
        return found


ExpectedEvents = Mapping[Position, ExpectedEvent]
"""In order."""


def event_of(entry: JournalEntry) -> Event:
    """The event that a journal entry tells."""
    body = orjson.loads(entry.body)
    source = None
    if body["origin"] == Origin.CHAIN:
        names = ("contractId", "ledger", "ledgerClosedAt", "txHash", "verified")
        source = Provenance(*(body[name] for name in names))
    place = parse_position(entry.position)
    return Event(EventType(entry.type), body["streamId"], body["timestamp"], body, place, source)


def replay_expected(
    events: Mapping[Position, Event], before: StreamStates, given: Mapping[Position, Stream]
) -> ExpectedEvents:
    """What the journal should have of `events`, on the states `before` them.

    `given`: the first events of streams whose earlier history is trimmed, each with the state after
    it as the journal has it; there is nothing to check that state with.
    """
    story = {
        place: ExpectedEvent(events[place], None, _body(place, encode(events[place], (), after)[1]))
        for place, after in given.items()
    }
    states = dict(before) | {after.id: after for after in given.values()}
    others = sorted(events.keys() - given.keys())
    writes = plan_writes([events[place] for place in others], states)
    for place, write in zip(others, writes, strict=True):
        head, raw = encode(write.event, write.topics, write.concerns)
        body = _body(place, raw)
        if write.after is not None:
            shown = stream_document(write.after, write.event.timestamp)
            body["stream"] = orjson.loads(orjson.dumps(shown)) | {"position": str(place)}
        story[place] = ExpectedEvent(write.event, head.decode(), body)
    return dict(sorted(story.items()))


def _body(place: Position, raw: bytes) -> dict[str, Any]:
    return {"id": str(place), **orjson.loads(raw)}


def compare(story: ExpectedEvents, entries: Sequence[JournalEntry]) -> Iterator[Difference]:
    """Events that are missing, from nowhere or altered; entries that do not follow each other."""
    held = {parse_position(entry.position): entry for entry in entries}
    for place in sorted(story.keys() | held.keys()):
        if place not in held:
            yield Difference(str(place), "missing", story[place].body, None)
        elif place not in story:
            yield Difference(str(place), "extra", None, orjson.loads(held[place].body))
        else:
            yield from _altered(story[place], held[place])
    for one, other in pairwise(entries):
        if other.previous != one.position:
            yield Difference(other.position, "order", one.position, other.previous)


def _altered(expected: ExpectedEvent, entry: JournalEntry) -> Iterator[Difference]:
    head = " ".join((entry.type, *entry.topics))
    if expected.head not in (None, head):
        yield Difference(entry.position, "head", expected.head, head)
    found: Document = orjson.loads(entry.body)
    names = set(found) - {"publishedAt"}  # which nobody but Redis can know
    if expected.head is None:
        names.discard("stream")
    for name in sorted(names | expected.body.keys()):
        right, is_ = expected.body.get(name), found.get(name)
        if isinstance(right, dict) and isinstance(is_, dict):
            yield from differing(entry.position, f"{name}.", right, is_)
        elif not _as_good(name, right, is_):
            yield Difference(entry.position, name, right, is_)


def differing(where: str, prefix: str, right: Document, found: Document) -> Iterator[Difference]:
    """The fields in which two documents differ."""
    for name in sorted(right.keys() | found.keys()):
        if right.get(name) != found.get(name):
            yield Difference(where, prefix + name, right.get(name), found.get(name))


def _as_good(name: str, right: object, found: object) -> bool:
    """Whether both say the same, or what sources tell in different ways."""
    if name == "verified":  # not every source has the result that proves
        return right == found or None in (right, found)
    if name == "ledgerClosedAt" and isinstance(right, str) and isinstance(found, str):
        return unix_seconds(right) == unix_seconds(found)
    return right == found
