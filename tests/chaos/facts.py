"""What a run was to tell: from the ledger's record and the API's acknowledgements. Pure.

The journal is not believed. Its chain events must be exactly the ledger's; of the API's, every
acknowledged write must be there at the acknowledged place, and nothing that nobody asked for.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from shared.positions import END, START, Position, parse_position
from shared.wire import Entry
from tests.chaos.checker import Fact, Kind, Span, Violation
from tests.chaos.lost import Lost

FOLLOWING = frozenset({"stream.completed", "stream.running_low", "stream.depleted"})
"""What comes of itself: behind the last withdrawal, and when the time has come."""

RESET = "journal.reset"
TOLD_TO_ALL = {"chain.gap": "gap", RESET: "reset"}
"""What is told of a loss, and how the frame is called."""

NOTHING = Lost()

_LATE = 2.0
"""Seconds that a service may go by a clock of Redis that was set back meanwhile."""

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


def parties_on_chain(
    held: Sequence[Mapping[str, Any]], began: Position = START
) -> list[tuple[Parties, Parties]]:
    """Whom each event of the ledger concerns, and the parties of its stream after it.

    It concerns those it names and the stream's before and after. A fee is collected before the
    stream that it belongs to is created. Of a stream that was created up to `began`, where the
    journal begins, nothing is known.
    """
    known = (e for e in held if parse_position(e["id"]) > began)
    streams = {e["streamId"]: _pair(e["data"]) for e in known if e["name"] == "stream_created"}
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
    held: Sequence[Mapping[str, Any]],
    acks: Iterable[Ack],
    journal: Sequence[Entry],
    lost: Lost = NOTHING,
    began: Position = START,
) -> tuple[list[Fact], list[Violation]]:
    """What was to be told, in order, and what is wrong with the journal.

    `began` is where this journal does; what it held before everything was lost is in `lost`.
    """
    acks = list(acks)
    entries = lost.everything(journal)
    bodies = {entry.position: entry.body.decode() for entry in entries}
    parties: dict[str, list[tuple[Position, Parties]]] = {}
    for ack in acks:
        parties.setdefault(ack.stream_id, [(START, ack.parties)])
    facts = []
    for event, (concerned, after) in zip(held, _parties(held, lost, began), strict=True):
        place, stream_id = parse_position(event["id"]), event["streamId"]
        facts.append(Fact(place, event["name"], stream_id, concerned, bodies.get(event["id"], "")))
        if stream_id:
            parties.setdefault(stream_id, [(START, after)]).append((place, after))
    for entry in entries:
        body, place = orjson.loads(entry.body), parse_position(entry.position)
        if entry.type in TOLD_TO_ALL:
            facts.append(Fact(place, TOLD_TO_ALL[entry.type], None, frozenset()))
        elif body["origin"] == "api":
            known = [who for since, who in parties.get(body["streamId"], ()) if since < place]
            concerned = known[-1] if known else _in_body(body)
            facts.append(Fact(place, entry.type, body["streamId"], concerned, entry.body.decode()))
    wrong = [
        *_chain(held, entries, lost, began),
        *_resets(journal, lost),
        *_acknowledged(acks, entries),
        *_versions(acks, [*(whole.entries for whole in lost.journals), journal]),
    ]
    return sorted(facts, key=lambda fact: fact.position), wrong


def _parties(
    held: Sequence[Mapping[str, Any]], lost: Lost, began: Position
) -> list[tuple[Parties, Parties]]:
    """By what each journal could know: the streams of the one before are lost with it."""
    found: list[tuple[Parties, Parties]] = []
    places = [parse_position(event["id"]) for event in held]
    for start, top in [*((whole.began, whole.top) for whole in lost.journals), (began, END)]:
        known = parties_on_chain(held, start)
        found += known[len(found) : bisect_right(places, top)]
    return found


def _in_body(body: Mapping[str, Any]) -> Parties:
    """Of a write whose answer never came nothing but itself tells the parties."""
    return frozenset(body[name] for name in ("sender", "recipient") if name in body)


def _chain(
    held: Sequence[Mapping[str, Any]], entries: Sequence[Entry], lost: Lost, began: Position
) -> Iterable[Violation]:
    """The journal's chain events are the ledger's, all of them and no others.

    But for those before the first journal began, and those that were lost and told as a gap.
    """
    wanted = {each["id"]: each for each in held}
    gaps: list[Span] = []
    for entry in entries:
        body = orjson.loads(entry.body)
        if entry.type == "chain.gap":
            gaps.append((parse_position(body["from"]), parse_position(entry.position)))
        elif entry.type not in TOLD_TO_ALL and body["origin"] == "chain":
            each = wanted.pop(entry.position, None)
            if each is None:
                yield Violation(Kind.UNKNOWN, "journal", entry.position)
            elif not agrees(body, each):
                yield Violation(Kind.ALTERED, "journal", entry.position)
    for since, to in gaps:
        if not _is_lost(since, to, lost.ledgers):
            yield Violation(Kind.GAP, "journal", f"{since} to {to}")
    first = lost.journals[0].began if lost.journals else began
    for position in wanted:
        place = parse_position(position)
        if place > first and not any(since < place <= to for since, to in gaps):
            yield Violation(Kind.LOST, "journal", position)


def _is_lost(since: Position, to: Position, ledgers: Iterable[range]) -> bool:
    """Whether all ledgers of a gap are lost, but for the one within which it may begin."""
    told = range(since.ledger + 1, to.ledger + 1)
    return all(any(ledger in each for each in ledgers) for ledger in told)


def _resets(journal: Sequence[Entry], lost: Lost) -> Iterable[Violation]:
    """Each loss of everything is told once, above all that was there before; nothing else is."""
    journals = [*(whole.entries for whole in lost.journals), journal]
    for n, entries in enumerate(journals):
        resets = [parse_position(each.position) for each in entries if each.type == RESET]
        if not n and resets:
            yield Violation(Kind.RESET, "journal", str(resets[0]))
        if n and not (len(resets) == 1 and resets[0] > lost.journals[n - 1].top):
            told = ", ".join(map(str, resets)) or "nothing"
            yield Violation(Kind.UNTOLD, "journal", f"{lost.journals[n - 1].top}: {told}")


def _acknowledged(acks: Sequence[Ack], entries: Sequence[Entry]) -> Iterable[Violation]:
    """Each acknowledged write is at its place, or was until everything was lost."""
    places: dict[tuple[str, int], set[str]] = {}
    for entry, body in _of_api(entries):
        key = (body["streamId"], body["stream"]["version"])
        places.setdefault(key, set()).add(entry.position)
    for ack in acks:
        if ack.position not in places.get((ack.stream_id, ack.version), ()):
            yield Violation(Kind.LOST, f"journal, of {ack.command}", ack.position)


def _versions(acks: Sequence[Ack], journals: Iterable[Sequence[Entry]]) -> Iterable[Violation]:
    """Each version of a stream is there once, and each stream has as many as were asked for."""
    done: Counter[str] = Counter()
    for entries in journals:
        versions: Counter[tuple[str, int]] = Counter()
        for entry, body in _of_api(entries):
            versions[body["streamId"], body["stream"]["version"]] += 1
            done[body["streamId"]] += entry.type not in FOLLOWING
        for (stream_id, version), count in versions.items():
            if count > 1:
                yield Violation(Kind.DUPLICATE, "journal", f"{stream_id} version {version}")
    asked = Counter(ack.stream_id for ack in acks)
    for stream_id in asked:
        if done[stream_id] > asked[stream_id]:
            yield Violation(Kind.DUPLICATE, "journal", f"{stream_id}: done twice")


def _of_api(entries: Iterable[Entry]) -> Iterator[tuple[Entry, Mapping[str, Any]]]:
    for entry in entries:
        body = orjson.loads(entry.body)
        if entry.type not in TOLD_TO_ALL and body["origin"] == "api" and "stream" in body:
            yield entry, body


def endings(entries: Iterable[Entry]) -> Iterator[Violation]:
    """What the API told of a moment that had not come yet, by the clock of Redis."""
    for entry, body in _of_api(entries):
        if body["timestamp"] > body["publishedAt"] / 1e6 + _LATE:
            ahead = body["timestamp"] - body["publishedAt"] / 1e6
            yield Violation(Kind.FALSE, f"{entry.type}, {ahead:.0f} s ahead", entry.position)
