"""Checks a journal against the ledger's events and the answers of the API. Pure.

The events of the chain must be exactly those of the ledger, except for ledgers that are lost and
covered by a gap. Each acknowledged write must be at its position. No other event may exist.
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
"""Events without a command: after the last withdrawal, or when their time has come."""

RESET = "journal.reset"
LOSS_FRAMES = {"chain.gap": "gap", RESET: "reset"}
"""The events about losses, and the names of their frames."""

_LATE = 2.0
"""Seconds for which a service may use the time of Redis before that clock was set back."""


@dataclass(frozen=True, slots=True)
class AcknowledgedWrite:
    """A command that the API answered with 2xx, and values of the document in the answer."""

    command: str
    stream_id: str
    version: int
    position: str
    parties: frozenset[str]


def camel(name: str) -> str:
    """The JSON name of a field: `new_end_time` becomes `newEndTime`."""
    head, *rest = name.split("_")
    return head + "".join(map(str.capitalize, rest))


def agrees(body: Mapping[str, Any], held: Mapping[str, Any]) -> bool:
    """True if an event has the ledger's values in all fields."""
    facts = {camel(k): str(v) for k, v in held["data"].items() if k != "stream_id"}
    positions = {"txHash": "txHash", "ledger": "ledger", "ledgerClosedAt": "closedAt"}
    return (
        all(body[ours] == held[theirs] for ours, theirs in positions.items())
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
    """Check that the journal has all events of the ledger and no others.

    Exceptions: events before the start of the first journal, and lost events that a gap covers.
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
    for event_id in wanted:
        position = parse_position(event_id)
        if position > first and not any(since < position <= to for since, to in gaps):
            yield Violation(Kind.LOST, "journal", event_id)


def gaps_of(entries: Iterable[JournalEntry]) -> list[Span]:
    """The gaps in the journal: after the first position, up to the second."""
    texts = (entry for entry in entries if entry.type == "chain.gap")
    return [
        (parse_position(orjson.loads(e.body)["from"]), parse_position(e.position)) for e in texts
    ]


def _is_lost(since: Position, to: Position, ledgers: Iterable[range]) -> bool:
    """True if all ledgers of a gap are lost. The gap may begin inside its first ledger."""
    texts = range(since.ledger + 1, to.ledger + 1)
    return all(any(ledger in each for each in ledgers) for ledger in texts)


def check_resets(journal: Sequence[JournalEntry], lost: LostData) -> Iterable[Violation]:
    """Check that each loss of all data has one `journal.reset`, above all older positions."""
    journals = [*(lost_journal.entries for lost_journal in lost.journals), journal]
    for n, entries in enumerate(journals):
        found = [parse_position(each.position) for each in entries if each.type == RESET]
        if not n and found:
            yield Violation(Kind.RESET, "journal", str(found[0]))
        if n and not (len(found) == 1 and found[0] > lost.journals[n - 1].top):
            positions = ", ".join(map(str, found)) or "nothing"
            yield Violation(Kind.UNANNOUNCED, "journal", f"{lost.journals[n - 1].top}: {positions}")


def check_acknowledged(
    acks: Sequence[AcknowledgedWrite], entries: Sequence[JournalEntry]
) -> Iterable[Violation]:
    """Check that each acknowledged write is at its position, now or in a lost journal."""
    positions: dict[tuple[str, int], set[str]] = {}
    for entry, body in _of_api(entries):
        key = (body["streamId"], body["stream"]["version"])
        positions.setdefault(key, set()).add(entry.position)
    for ack in acks:
        if ack.position not in positions.get((ack.stream_id, ack.version), ()):
            yield Violation(Kind.LOST, f"journal, of {ack.command}", ack.position)


def check_versions(
    acks: Sequence[AcknowledgedWrite], journal: Sequence[JournalEntry], lost: LostData
) -> Iterable[Violation]:
    """Check that each version of a stream exists once, and that no command was executed twice.

    A command that was never acknowledged may have been executed once in a lost journal.
    """
    done: Counter[str] = Counter()
    for entries in [*(lost_journal.entries for lost_journal in lost.journals), journal]:
        counts: Counter[tuple[str, int]] = Counter()
        for entry, body in _of_api(entries):
            counts[body["streamId"], body["stream"]["version"]] += 1
            done[body["streamId"]] += entry.type not in AUTOMATIC_TYPES
        for (stream_id, version), count in counts.items():
            if count > 1:
                yield Violation(Kind.DUPLICATE, "journal", f"{stream_id} version {version}")
    asked = Counter(ack.stream_id for ack in acks)
    kept = {body["streamId"] for _, body in _of_api(journal)}
    for stream_id in asked:
        unanswered = 0 if stream_id in kept else lost.commands[stream_id]
        if done[stream_id] > asked[stream_id] + unanswered:
            yield Violation(Kind.DUPLICATE, "journal", f"{stream_id}: done twice")


def _of_api(entries: Iterable[JournalEntry]) -> Iterator[tuple[JournalEntry, Mapping[str, Any]]]:
    for entry in entries:
        body = orjson.loads(entry.body)
        if entry.type not in LOSS_FRAMES and body["origin"] == "api" and "stream" in body:
            yield entry, body


def check_notices(entries: Iterable[JournalEntry]) -> Iterator[Violation]:
    """Notices of the API that were published before their time, by the clock of Redis."""
    for entry, body in _of_api(entries):
        if body["timestamp"] > body["publishedAt"] / 1e6 + _LATE:
            ahead = body["timestamp"] - body["publishedAt"] / 1e6
            yield Violation(Kind.EARLY, f"{entry.type}, {ahead:.0f} s ahead", entry.position)
