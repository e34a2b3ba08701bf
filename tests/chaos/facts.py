"""What a run was to tell: from the ledger's record and the API's acknowledgements. Pure.

The journal is not believed. Its chain events must be exactly the ledger's; of the API's, every
acknowledged write must be there at the acknowledged place, and nothing that nobody asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from shared.positions import START, Position, parse_position
from shared.wire import Entry
from tests.chaos.checker import Fact, Kind, Violation

FOLLOWING = frozenset({"stream.completed", "stream.running_low", "stream.depleted"})
"""What comes of itself: behind the last withdrawal, and when the time has come."""

_NAMES = ("sender", "recipient", "old_recipient", "new_recipient")


@dataclass(frozen=True, slots=True)
class Ack:
    """A command that the API answered with 2xx, and the document it answered with."""

    command: str
    stream_id: str
    version: int
    position: str
    parties: frozenset[str]


def camel(name: str) -> str:
    """`new_end_time` as our JSON spells it."""
    head, *rest = name.split("_")
    return head + "".join(map(str.capitalize, rest))


Parties = frozenset[str]


def parties_on_chain(held: Sequence[Mapping[str, Any]]) -> list[tuple[Parties, Parties]]:
    """Whom each event of the ledger concerns, and the parties of its stream after it.

    It concerns those it names and the stream's before and after. A fee is collected before the
    stream that it belongs to is created.
    """
    streams = {e["streamId"]: _pair(e["data"]) for e in held if e["name"] == "stream_created"}
    concerned = []
    for event in held:
        before = after = streams.get(event["streamId"], ())
        if before and event["name"] == "recipient_transferred":
            after = streams[event["streamId"]] = (before[0], event["data"]["new_recipient"])
        everyone = event["streamId"] is None
        whom = frozenset() if everyone else frozenset((*before, *after)) | _named(event)
        concerned.append((whom, frozenset(after)))
    return concerned


def _pair(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Sender and recipient, kept apart as they may be one account."""
    return data["sender"], data["recipient"]


def _named(event: Mapping[str, Any]) -> Parties:
    return frozenset(v for name in _NAMES if isinstance(v := event["data"].get(name), str))


def agrees(body: Mapping[str, Any], held: Mapping[str, Any]) -> bool:
    """Whether an event says what the ledger held: its place, its proof and every field."""
    facts = {camel(k): str(v) for k, v in held["data"].items() if k != "stream_id"}
    places = {"txHash": "txHash", "ledger": "ledger", "ledgerClosedAt": "closedAt"}
    return (
        all(body[ours] == held[theirs] for ours, theirs in places.items())
        and body["streamId"] == held["streamId"]
        and {name: str(body.get(name)) for name in facts} == facts
    )


def facts_of(
    held: Sequence[Mapping[str, Any]], acks: Iterable[Ack], journal: Sequence[Entry]
) -> tuple[list[Fact], list[Violation]]:
    """What was to be told, in order, and what is wrong with the journal."""
    acks = list(acks)
    bodies = {entry.position: entry.body.decode() for entry in journal}
    parties: dict[str, list[tuple[Position, Parties]]] = {}
    for ack in acks:
        parties.setdefault(ack.stream_id, [(START, ack.parties)])
    facts = []
    for event, (concerned, after) in zip(held, parties_on_chain(held), strict=True):
        place, stream_id = parse_position(event["id"]), event["streamId"]
        facts.append(Fact(place, event["name"], stream_id, concerned, bodies.get(event["id"], "")))
        if stream_id:
            parties.setdefault(stream_id, [(START, after)]).append((place, after))
    for entry in journal:
        body, place = orjson.loads(entry.body), parse_position(entry.position)
        if body["origin"] == "api":
            known = [who for since, who in parties.get(body["streamId"], ()) if since < place]
            concerned = known[-1] if known else _in_body(body)
            facts.append(Fact(place, entry.type, body["streamId"], concerned, entry.body.decode()))
    wrong = [*_chain(held, journal), *_acknowledged(acks, journal)]
    return sorted(facts, key=lambda fact: fact.position), wrong


def _in_body(body: Mapping[str, Any]) -> Parties:
    """Of a write whose answer never came nothing but itself tells the parties."""
    return frozenset(body[name] for name in ("sender", "recipient") if name in body)


def _chain(held: Sequence[Mapping[str, Any]], journal: Sequence[Entry]) -> Iterable[Violation]:
    """The journal's chain events are the ledger's, all of them and no others."""
    wanted = {each["id"]: each for each in held}
    for entry in journal:
        body = orjson.loads(entry.body)
        if body["origin"] == "chain":
            each = wanted.pop(entry.position, None)
            if each is None:
                yield Violation(Kind.UNKNOWN, "journal", entry.position)
            elif not agrees(body, each):
                yield Violation(Kind.ALTERED, "journal", entry.position)
    for position in wanted:
        yield Violation(Kind.LOST, "journal", position)


def _acknowledged(acks: Sequence[Ack], journal: Sequence[Entry]) -> Iterable[Violation]:
    """Each acknowledged write is there once, and each stream has as many as were asked for."""
    versions: Counter[tuple[str, int]] = Counter()
    done: Counter[str] = Counter()
    places = dict[tuple[str, int], str]()
    for entry in journal:
        body = orjson.loads(entry.body)
        if body["origin"] == "api" and "stream" in body:
            key = (body["streamId"], body["stream"]["version"])
            versions[key] += 1
            places[key] = entry.position
            done[body["streamId"]] += entry.type not in FOLLOWING
    for ack in acks:
        key = (ack.stream_id, ack.version)
        if places.get(key) != ack.position:
            yield Violation(Kind.LOST, f"journal, of {ack.command}", ack.position)
    for (stream_id, version), count in versions.items():
        if count > 1:
            yield Violation(Kind.DUPLICATE, "journal", f"{stream_id} version {version}")
    asked = Counter(ack.stream_id for ack in acks)
    for stream_id in asked:
        if done[stream_id] > asked[stream_id]:
            yield Violation(Kind.DUPLICATE, "journal", f"{stream_id}: done twice")
