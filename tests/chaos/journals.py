"""What is wrong with a journal: held against the ledger's record and the API's answers. Pure.

It is not believed. Its chain events must be exactly the ledger's, but for ledgers that are lost and
told as a gap. Every acknowledged write must be at its place, and nothing that nobody asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from shared.domain.position import Position, parse_position
from shared.journal.wire import JournalEntry
from tests.chaos.checker import Kind, Span, Violation
from tests.chaos.lost import LostData

AUTOMATIC_TYPES = frozenset({"stream.completed", "stream.running_low", "stream.depleted"})
"""What comes of itself: behind the last withdrawal, and when the time has come."""

RESET = "journal.reset"
LOSS_FRAMES = {"chain.gap": "gap", RESET: "reset"}
"""What is told of a loss, and how the frame is called."""

_LATE = 2.0
"""Seconds that a service may go by a clock of Redis that was set back meanwhile."""


@dataclass(frozen=True, slots=True)
class AcknowledgedWrite:
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


def agrees(body: Mapping[str, Any], held: Mapping[str, Any]) -> bool:
    """Whether an event says what the ledger held: its place, its proof and every field."""
    facts = {camel(k): str(v) for k, v in held["data"].items() if k != "stream_id"}
    places = {"txHash": "txHash", "ledger": "ledger", "ledgerClosedAt": "closedAt"}
    return (
        all(body[ours] == held[theirs] for ours, theirs in places.items())
        and body["streamId"] == held["streamId"]
        and {name: str(body.get(name)) for name in facts} == facts
    )


def check_chain(
    held: Sequence[Mapping[str, Any]],
    entries: Sequence[JournalEntry],
    lost: LostData,
    began: Position,
    gaps: Sequence[Span],
) -> Iterable[Violation]:
    """The journal's chain events are the ledger's, all of them and no others.

    But for those before the first journal began, and those that were lost and told as a gap.
    """
    wanted = {each["id"]: each for each in held}
    for entry in entries:
        body = orjson.loads(entry.body)
        if entry.type not in LOSS_FRAMES and body["origin"] == "chain":
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


def gaps_of(entries: Iterable[JournalEntry]) -> list[Span]:
    """What the journal tells everyone of as lost: after the first, up to the second."""
    told = (entry for entry in entries if entry.type == "chain.gap")
    return [
        (parse_position(orjson.loads(e.body)["from"]), parse_position(e.position)) for e in told
    ]


def _is_lost(since: Position, to: Position, ledgers: Iterable[range]) -> bool:
    """Whether all ledgers of a gap are lost, but for the one within which it may begin."""
    told = range(since.ledger + 1, to.ledger + 1)
    return all(any(ledger in each for each in ledgers) for ledger in told)


def check_resets(journal: Sequence[JournalEntry], lost: LostData) -> Iterable[Violation]:
    """Each loss of everything is told once, above all that was there before; nothing else is."""
    journals = [*(whole.entries for whole in lost.journals), journal]
    for n, entries in enumerate(journals):
        found = [parse_position(each.position) for each in entries if each.type == RESET]
        if not n and found:
            yield Violation(Kind.RESET, "journal", str(found[0]))
        if n and not (len(found) == 1 and found[0] > lost.journals[n - 1].top):
            told = ", ".join(map(str, found)) or "nothing"
            yield Violation(Kind.UNTOLD, "journal", f"{lost.journals[n - 1].top}: {told}")


def check_acknowledged(
    acks: Sequence[AcknowledgedWrite], entries: Sequence[JournalEntry]
) -> Iterable[Violation]:
    """Each acknowledged write is at its place, or was until everything was lost."""
    places: dict[tuple[str, int], set[str]] = {}
    for entry, body in _of_api(entries):
        key = (body["streamId"], body["stream"]["version"])
        places.setdefault(key, set()).add(entry.position)
    for ack in acks:
        if ack.position not in places.get((ack.stream_id, ack.version), ()):
            yield Violation(Kind.LOST, f"journal, of {ack.command}", ack.position)


def check_versions(
    acks: Sequence[AcknowledgedWrite], journals: Iterable[Sequence[JournalEntry]]
) -> Iterable[Violation]:
    """Each version of a stream is there once, and each stream has as many as were asked for."""
    done: Counter[str] = Counter()
    for entries in journals:
        counts: Counter[tuple[str, int]] = Counter()
        for entry, body in _of_api(entries):
            counts[body["streamId"], body["stream"]["version"]] += 1
            done[body["streamId"]] += entry.type not in AUTOMATIC_TYPES
        for (stream_id, version), count in counts.items():
            if count > 1:
                yield Violation(Kind.DUPLICATE, "journal", f"{stream_id} version {version}")
    asked = Counter(ack.stream_id for ack in acks)
    for stream_id in asked:
        if done[stream_id] > asked[stream_id]:
            yield Violation(Kind.DUPLICATE, "journal", f"{stream_id}: done twice")


def _of_api(entries: Iterable[JournalEntry]) -> Iterator[tuple[JournalEntry, Mapping[str, Any]]]:
    for entry in entries:
        body = orjson.loads(entry.body)
        if entry.type not in LOSS_FRAMES and body["origin"] == "api" and "stream" in body:
            yield entry, body


def check_notices(entries: Iterable[JournalEntry]) -> Iterator[Violation]:
    """What the API told of a moment that had not come yet, by the clock of Redis."""
    for entry, body in _of_api(entries):
        if body["timestamp"] > body["publishedAt"] / 1e6 + _LATE:
            ahead = body["timestamp"] - body["publishedAt"] / 1e6
            yield Violation(Kind.FALSE, f"{entry.type}, {ahead:.0f} s ahead", entry.position)
