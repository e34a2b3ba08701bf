"""Compute what the journal and the stored streams should hold, and compare. Pure.

The commits are repeated in memory: the chain's events from a source and the API's events from the
journal, in one order, applied to the streams as they were before.
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
    """One difference, JSON-ready. `where` is a position, or `stream <id>` for a stored document."""

    where: str
    what: str
    expected: object
    found: object


@dataclass(frozen=True, slots=True)
class ExpectedEvent:
    """An event as the journal should have it; `head` is None if its topics cannot be known."""

    event: Event
    head: str | None
    body: Document

    @property
    def document(self) -> Document | None:
        """The stream after the event; None if there is none, or if it cannot be known."""
        actual: Document | None = self.body.get("stream")
        return actual


ExpectedEvents = Mapping[Position, ExpectedEvent]
"""In order of position."""


def event_of(entry: JournalEntry) -> Event:
    """The event in a journal entry."""
    body = orjson.loads(entry.body)
    source = None
    if body["origin"] == Origin.CHAIN:
        names = ("contractId", "ledger", "ledgerClosedAt", "txHash", "verified")
        source = Provenance(*(body[name] for name in names))
    position = parse_position(entry.position)
    return Event(EventType(entry.type), body["streamId"], body["timestamp"], body, position, source)


def replay_expected(
    events: Mapping[Position, Event], before: StreamStates, adopted: Mapping[Position, Stream]
) -> ExpectedEvents:
    """What the journal should hold for `events`, applied to the states `before` them.

    `adopted`: the first events of streams whose earlier history is trimmed, with the states after
    them from the journal. These states cannot be checked.
    """
    expected = {
        position: ExpectedEvent(
            events[position], None, _body(position, encode(events[position], (), after)[1])
        )
        for position, after in adopted.items()
    }
    states = dict(before) | {after.id: after for after in adopted.values()}
    others = sorted(events.keys() - adopted.keys())
    writes = plan_writes([events[position] for position in others], states)
    for position, write in zip(others, writes, strict=True):
        head, raw = encode(write.event, write.topics, write.concerns)
        body = _body(position, raw)
        if write.after is not None:
            shown = stream_document(write.after, write.event.timestamp)
            body["stream"] = orjson.loads(orjson.dumps(shown)) | {"position": str(position)}
        expected[position] = ExpectedEvent(write.event, head.decode(), body)
    return dict(sorted(expected.items()))


def _body(position: Position, raw: bytes) -> dict[str, Any]:
    return {"id": str(position), **orjson.loads(raw)}


def compare(expected: ExpectedEvents, entries: Sequence[JournalEntry]) -> Iterator[Difference]:
    """The differences: missing, extra and altered events, and entries out of order."""
    journal = {parse_position(entry.position): entry for entry in entries}
    for position in sorted(expected.keys() | journal.keys()):
        if position not in journal:
            yield Difference(str(position), "missing", expected[position].body, None)
        elif position not in expected:
            yield Difference(str(position), "extra", None, orjson.loads(journal[position].body))
        else:
            yield from _altered(expected[position], journal[position])
    for one, other in pairwise(entries):
        if other.previous != one.position:
            yield Difference(other.position, "order", one.position, other.previous)


def _altered(expected: ExpectedEvent, entry: JournalEntry) -> Iterator[Difference]:
    head = " ".join((entry.type, *entry.topics))
    if expected.head not in (None, head):
        yield Difference(entry.position, "head", expected.head, head)
    actual: Document = orjson.loads(entry.body)
    names = set(actual) - {"publishedAt"}  # only Redis knows it
    if expected.head is None:
        names.discard("stream")
    for name in sorted(names | expected.body.keys()):
        wanted, found = expected.body.get(name), actual.get(name)
        if isinstance(wanted, dict) and isinstance(found, dict):
            yield from field_differences(entry.position, f"{name}.", wanted, found)
        elif not _is_equal(name, wanted, found):
            yield Difference(entry.position, name, wanted, found)


def field_differences(
    where: str, prefix: str, expected: Document, actual: Document
) -> Iterator[Difference]:
    """The fields in which two documents differ."""
    for name in sorted(expected.keys() | actual.keys()):
        if expected.get(name) != actual.get(name):
            yield Difference(where, prefix + name, expected.get(name), actual.get(name))


def _is_equal(name: str, expected: object, actual: object) -> bool:
    """Whether two values are equal, apart from differences that sources may have."""
    if name == "verified":  # not every source has the result that proves events
        return expected == actual or None in (expected, actual)
    if name == "ledgerClosedAt" and isinstance(expected, str) and isinstance(actual, str):
        return unix_seconds(expected) == unix_seconds(actual)
    return expected == actual
