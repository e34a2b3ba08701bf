"""The expected events of a run, from the ledger's events and the acknowledged writes. Pure."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from shared.domain.events import EventType
from shared.domain.position import END, START, Position, parse_position
from shared.journal.wire import JournalEntry
from tests.chaos.checker import ExpectedEvent, Violation
from tests.chaos.journals import (
    LOSS_FRAMES,
    AcknowledgedWrite,
    check_acknowledged,
    check_chain,
    check_resets,
    check_versions,
    gaps_of,
)
from tests.chaos.lost import LostData

NO_LOST_DATA = LostData()

_NAMES = ("sender", "recipient", "old_recipient", "new_recipient")


Parties = frozenset[str]

NOBODY: Parties = frozenset({"nobody"})
"""The parties of an unknown stream.

Only subscribers of the stream or of all events get its events.
"""


class Snapshot(NamedTuple):
    """A `stream.snapshot` of a journal. It has the effect of all events up to `ledger`."""

    position: Position
    stream_id: str
    ledger: int
    parties: tuple[str, ...]


def snapshots_of(entries: Iterable[JournalEntry]) -> list[Snapshot]:
    """The snapshots in a journal, in order."""
    found = []
    for entry in entries:
        if entry.type == EventType.STREAM_SNAPSHOT:
            body, position = orjson.loads(entry.body), parse_position(entry.position)
            found.append(Snapshot(position, body["streamId"], body["stateLedger"], _pair(body)))
    return sorted(found)


def parties_on_chain(
    held: Sequence[Mapping[str, Any]],
    unknown: Collection[str] = (),
    snapshots: Sequence[Snapshot] = (),
) -> list[tuple[Parties, Parties]]:
    """For each event of the ledger: its audience, and the parties of its stream after it.

    The audience are the accounts that the event names and the parties of the stream before and
    after it. A fee comes before the stream that it belongs to is created. The effect of the events
    `unknown` on a stream is not known: they came before the start of the journal, or were lost.
    A snapshot makes the parties of its stream known to the events after it.
    """
    known = (e for e in held if e["id"] not in unknown)
    streams = {e["streamId"]: _pair(e["data"]) for e in known if e["name"] == "stream_created"}
    concerned, coming, read = [], deque(snapshots), dict[str, int]()
    for event in held:
        while coming and coming[0].position < parse_position(event["id"]):
            snapshot = coming.popleft()
            streams[snapshot.stream_id] = snapshot.parties
            read[snapshot.stream_id] = snapshot.ledger
        before = after = streams.get(event["streamId"], ())
        is_included = event["ledger"] <= read.get(event["streamId"], 0)
        moves = event["name"] == "recipient_transferred" and event["id"] not in unknown
        if before and moves and not is_included:
            after = streams[event["streamId"]] = (before[0], event["data"]["new_recipient"])
        everyone = event["streamId"] is None
        audience = (
            frozenset() if everyone else frozenset((*before, *after)) | _named(event) or NOBODY
        )
        concerned.append((audience, frozenset(after)))
    return concerned


def _pair(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Sender and recipient. A tuple, since both may be the same account."""
    return data["sender"], data["recipient"]


def _named(event: Mapping[str, Any]) -> Parties:
    return frozenset(v for name in _NAMES if isinstance(v := event["data"].get(name), str))


def expected_events(
    held: Sequence[Mapping[str, Any]],
    acks: Iterable[AcknowledgedWrite],
    journal: Sequence[JournalEntry],
    lost: LostData = NO_LOST_DATA,
    began: Position = START,
) -> tuple[list[ExpectedEvent], list[Violation]]:
    """The expected events in order, and the violations of the journal.

    `began` is the start of the current journal. `lost` has the entries of the journals before it.
    """
    acks = list(acks)
    entries = lost.everything(journal)
    bodies = {entry.position: entry.body.decode() for entry in entries}
    parties: dict[str, list[tuple[Position, Parties]]] = {}
    for ack in acks:
        parties.setdefault(ack.stream_id, [(START, ack.parties)])
    facts, gaps = [], gaps_of(entries)
    audience = _parties(held, journal, lost, began)
    for event, (concerned, after, sure) in zip(held, audience, strict=True):
        position, stream_id = parse_position(event["id"]), event["streamId"]
        body = bodies.get(event["id"], "")
        facts.append(ExpectedEvent(position, event["name"], stream_id, concerned, body, sure))
        if stream_id:
            parties.setdefault(stream_id, [(START, after)]).append((position, after))
    for each in snapshots_of(entries):
        insort(parties.setdefault(each.stream_id, []), (each.position, frozenset(each.parties)))
    for entry in entries:
        body, position = orjson.loads(entry.body), parse_position(entry.position)
        if entry.type in LOSS_FRAMES:
            facts.append(ExpectedEvent(position, LOSS_FRAMES[entry.type], None, frozenset()))
        elif body["origin"] == "api":
            known = [who for since, who in parties.get(body["streamId"], ()) if since < position]
            concerned = sure = known[-1] if known else _in_body(body)
            if entry.type == EventType.STREAM_SNAPSHOT:  # also for the parties before it
                sure = _in_body(body)
                concerned |= sure
            text = entry.body.decode()
            facts.append(
                ExpectedEvent(position, entry.type, body["streamId"], concerned, text, sure)
            )
    wrong = [
        *check_chain(held, entries, lost, began, gaps),
        *check_resets(journal, lost),
        *check_acknowledged(acks, entries),
        *check_versions(acks, journal, lost),
    ]
    return sorted(facts, key=lambda fact: fact.position), wrong


def _parties(
    held: Sequence[Mapping[str, Any]],
    journal: Sequence[JournalEntry],
    lost: LostData,
    began: Position,
) -> list[tuple[Parties, Parties, Parties]]:
    """For each event: audience, parties after it, and the audience of which every journal is sure.

    Each journal knows only the streams that were created in it, outside of its gaps, and those that
    were read from the contract. So two journals can have the same event for different audiences.
    """
    positions = [parse_position(event["id"]) for event in held]
    views: list[tuple[int, int, list[tuple[Parties, Parties]]]] = []
    for start, top, kept in [
        *((each.began, each.top, each.entries) for each in lost.journals),
        (began, END, journal),
    ]:
        first, last = bisect_right(positions, start), bisect_right(positions, top)
        entries = [*kept, *(e for e in lost.entries if start < parse_position(e.position) <= top)]
        gaps = gaps_of(entries)
        unknown = {
            event["id"]
            for n, (event, place) in enumerate(zip(held, positions, strict=True))
            if n < first or any(since < place <= to for since, to in gaps)
        }
        views.append((first, last, parties_on_chain(held, unknown, snapshots_of(entries))))
    found = []
    for n in range(len(held)):
        having = [known[n] for first, last, known in views if first <= n < last]
        having = having or [next(known[n] for _, last, known in views if n < last)]
        audiences = [audience for audience, _ in having]
        everyone = frozenset[str]().union(*audiences)
        some = everyone - NOBODY or everyone
        # Without parties, an event is for everyone.
        sure = frozenset.intersection(*audiences) or (NOBODY if some else some)
        found.append((some, having[-1][1], sure))
    return found


def _in_body(body: Mapping[str, Any]) -> Parties:
    """The parties in the body. For a write without an answer there is no other source."""
    return frozenset(body[name] for name in ("sender", "recipient") if name in body)
