"""Compute what the journal and the stored streams should contain, and compare. Pure.

The commits are repeated in memory. The chain's events come from a source, and the API's events from
the journal. These events are applied, in order of position, to the streams' states before the
range.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import orjson

from shared.domain.events import Event, EventType, Origin, Provenance
from shared.domain.instant import unix_seconds
from shared.domain.position import Position, parse_position
from shared.domain.schedule import LINEAR, UNKNOWN, schedule_document, schedule_of
from shared.domain.stream import Acceptance, Stream
from shared.journal.plan import StreamStates, plan_writes
from shared.journal.stream_document import stream_document
from shared.journal.wire import JournalEntry, encode

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference, as `verify` prints it in JSON.

    `where`: a position, or `stream <id>` for a stored stream. `what`: the name of the field that
    differs, or one of `missing`, `extra`, `head` and `order`. `found`: the value in Redis.
    """

    where: str
    what: str
    expected: object
    found: object


@dataclass(frozen=True, slots=True)
class ExpectedEvent:
    """An event as the journal should contain it.

    `head`: its type and topics in one text; None if the topics cannot be known.
    """

    event: Event
    head: str | None
    body: Document

    @property
    def document(self) -> Document | None:
        """The stream's state after the event; None if there is no stream or no known state."""
        actual: Document | None = self.body.get("stream")
        return actual


ExpectedEvents = Mapping[Position, ExpectedEvent]
"""The expected events, in order of position."""


_DEFAULTS: Document = {
    "acceptance": Acceptance.ACCEPTED,
    "schedule": schedule_document(LINEAR),
    "claimableUnknown": None,
}


def with_known_schedule(event: Event, stored: Event | None) -> Event:
    """The event of the source, but with the journal's schedule if one of the two is unknown.

    The schedule is unknown if the source has deleted the transaction.
    """
    if event.type is not EventType.STREAM_CREATED or stored is None:
        return event
    schedules = [each.facts.get("schedule") for each in (event, stored)]
    if UNKNOWN not in map(schedule_of, schedules):
        return event
    facts = {name: value for name, value in event.facts.items() if name != "schedule"}
    return replace(event, facts=facts | ({"schedule": schedules[1]} if schedules[1] else {}))


def event_of(entry: JournalEntry) -> Event:
    """Parse the event in a journal entry."""
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
    """Compute what the journal should contain for `events`, applied to the states `before` them.

    `adopted`: for each stream whose earlier entries are trimmed, the position of its first kept
    entry and the stream's state after that entry. This state is taken from the journal, so it
    cannot be checked.
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
    """Yield the differences: missing, extra and changed events, and entries out of order."""
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
    names = set(actual) - {"publishedAt"}  # the time of the commit: only Redis knows it
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
    """Yield the fields in which two documents differ.

    Documents of earlier versions lack the fields in `_DEFAULTS`.
    """
    actual = {name: value for name, value in _DEFAULTS.items() if name in expected} | dict(actual)
    for name in sorted(expected.keys() | actual.keys()):
        if expected.get(name) != actual.get(name):
            yield Difference(where, prefix + name, expected.get(name), actual.get(name))


def _is_equal(name: str, expected: object, actual: object) -> bool:
    """True if two values are equal. Normal differences between two sources do not count."""
    if name == "verified":  # null if a source did not have the result that proves the event
        return expected == actual or None in (expected, actual)
    if name == "ledgerClosedAt" and isinstance(expected, str) and isinstance(actual, str):
        return unix_seconds(expected) == unix_seconds(actual)
    return expected == actual
