"""What a run was to tell: from the ledger's record and the API's acknowledgements. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson

from shared.domain.position import END, START, Position, parse_position
from shared.journal.wire import JournalEntry
from tests.chaos.checker import ExpectedEvent, Span, Violation
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
"""Of a stream that is not known: who asks for that stream, or for everything, is told."""


def parties_on_chain(
    held: Sequence[Mapping[str, Any]], unknown: Collection[str] = ()
) -> list[tuple[Parties, Parties]]:
    """Whom each event of the ledger concerns, and the parties of its stream after it.

    It concerns those it names and the stream's before and after. A fee is collected before the
    stream that it belongs to is created. Nobody can know what the events `unknown` made of it: they
    were before the journal began, or are lost.
    """
    known = (e for e in held if e["id"] not in unknown)
    streams = {e["streamId"]: _pair(e["data"]) for e in known if e["name"] == "stream_created"}
    concerned = []
    for event in held:
        before = after = streams.get(event["streamId"], ())
        moves = event["name"] == "recipient_transferred" and event["id"] not in unknown
        if before and moves:
            after = streams[event["streamId"]] = (before[0], event["data"]["new_recipient"])
        everyone = event["streamId"] is None
        audience = (
            frozenset() if everyone else frozenset((*before, *after)) | _named(event) or NOBODY
        )
        concerned.append((audience, frozenset(after)))
    return concerned


def _pair(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Sender and recipient, kept apart as they may be one account."""
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
    """What was to be told, in order, and what is wrong with the journal.

    `began` is where this journal does; what it held before everything was lost is in `lost`.
    """
    acks = list(acks)
    entries = lost.everything(journal)
    bodies = {entry.position: entry.body.decode() for entry in entries}
    parties: dict[str, list[tuple[Position, Parties]]] = {}
    for ack in acks:
        parties.setdefault(ack.stream_id, [(START, ack.parties)])
    facts, gaps = [], gaps_of(entries)
    audience = _parties(held, lost, began, gaps)
    for event, (concerned, after, sure) in zip(held, audience, strict=True):
        place, stream_id = parse_position(event["id"]), event["streamId"]
        body = bodies.get(event["id"], "")
        facts.append(ExpectedEvent(place, event["name"], stream_id, concerned, body, sure))
        if stream_id:
            parties.setdefault(stream_id, [(START, after)]).append((place, after))
    for entry in entries:
        told, place = orjson.loads(entry.body), parse_position(entry.position)
        if entry.type in LOSS_FRAMES:
            facts.append(ExpectedEvent(place, LOSS_FRAMES[entry.type], None, frozenset()))
        elif told["origin"] == "api":
            known = [who for since, who in parties.get(told["streamId"], ()) if since < place]
            concerned = known[-1] if known else _in_body(told)
            facts.append(
                ExpectedEvent(place, entry.type, told["streamId"], concerned, entry.body.decode())
            )
    wrong = [
        *check_chain(held, entries, lost, began, gaps),
        *check_resets(journal, lost),
        *check_acknowledged(acks, entries),
        *check_versions(acks, [*(whole.entries for whole in lost.journals), journal]),
    ]
    return sorted(facts, key=lambda fact: fact.position), wrong


def _parties(
    held: Sequence[Mapping[str, Any]], lost: LostData, began: Position, gaps: Sequence[Span]
) -> list[tuple[Parties, Parties, Parties]]:
    """By what each journal could know: the streams of the one before are lost with it.

    As `parties_on_chain`, by the first journal that had the event; then whom it concerns by the
    last one.
    """
    found: list[tuple[Parties, Parties]] = []
    places = [parse_position(event["id"]) for event in held]
    gone = {e["id"] for e, p in zip(held, places, strict=True) if any(a < p <= b for a, b in gaps)}
    sure: list[Parties] = []
    for start, top in [*((whole.began, whole.top) for whole in lost.journals), (began, END)]:
        first = bisect_right(places, start)
        known = parties_on_chain(held, gone | {event["id"] for event in held[:first]})
        found += known[len(found) : bisect_right(places, top)]
        sure = [*sure[:first], *(audience for audience, _ in known[len(sure[:first]) :])]
    return [(audience, after, last) for (audience, after), last in zip(found, sure, strict=True)]


def _in_body(body: Mapping[str, Any]) -> Parties:
    """Of a write whose answer never came nothing but itself tells the parties."""
    return frozenset(body[name] for name in ("sender", "recipient") if name in body)
