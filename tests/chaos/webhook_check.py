"""Checks what a receiver of webhooks got against the journal. Pure.

Each event comes at least once, in order, and as the journal has it. An event comes again only if
its acknowledgement may not have been stored: it was in the delivery right before, because progress
is stored before the next delivery begins. It comes again with the same `webhook-id`, so a receiver
that keeps these ids has each event exactly once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

import orjson

from shared.domain.position import START, parse_position
from shared.journal.wire import JournalEntry
from tests.chaos.checker import Kind, Violation
from tests.webhooks.receivers.receiving import REFUSED, WORKED, Record

_LOSSES = frozenset({"gap", "reset"})
"""Types of deliveries that are no events."""


def check_receiver(
    name: str,
    records: Sequence[Record],
    journal: Sequence[JournalEntry],
    *,
    lost: bool = False,
    deleted: bool = False,
) -> Iterator[Violation]:
    """The violations of one receiver. `journal`: all that it must have got.

    `deleted`: entries of the journal were deleted, so a batch may come again without them.
    `lost`: Redis lost writes in a failover. Then progress may be older than what was acknowledged,
    so events may come again. Events of the API may be in no journal, and those of the chain may
    have been restored. But whatever the journal has comes for the first time in its order.
    """
    yield from (
        Violation(Kind.ENDED, name, each.id, (f"refused: {each.body}",))
        for each in records
        if each.kind == REFUSED
    )
    worked = [each for each in records if each.kind == WORKED]
    deliveries = [events_of(each) for each in worked]
    if lost:
        yield from _order_of_first(name, deliveries, {entry.position for entry in journal})
    else:
        yield from _order(name, deliveries)
    if not lost and not deleted:
        yield from _in_two_messages(name, [each.id for each in worked], deliveries)
    yield from _content(name, deliveries, journal, lost=lost)


def events_of(record: Record) -> list[tuple[str, str]]:
    """The position and the body of each event of a delivery."""
    document = orjson.loads(record.body)
    if "events" in document:
        return [(each["id"], orjson.dumps(each).decode()) for each in document["events"]]
    if document["type"] in _LOSSES:
        return []
    return [(document["id"], orjson.dumps(document).decode())]


def ids_of(records: Sequence[Record]) -> set[str]:
    """The positions of all events that a receiver has."""
    return {own for each in records if each.kind == WORKED for own, _ in events_of(each)}


def _order_of_first(
    name: str, deliveries: Sequence[Sequence[tuple[str, str]]], known: Set[str]
) -> Iterator[Violation]:
    """The order in which a receiver that keeps ids has the events. `known`: in the journal."""
    top, had = START, set[str]()
    for each in (own for delivery in deliveries for own, _ in delivery):
        if each not in had and each in known:
            if parse_position(each) <= top:
                yield Violation(Kind.DISORDER, name, each, (f"first after {top}",))
            top = max(top, parse_position(each))
        had.add(each)


def _order(name: str, deliveries: Sequence[Sequence[tuple[str, str]]]) -> Iterator[Violation]:
    top, before = START, frozenset[str]()
    for delivery in deliveries:
        ids = [each for each, _ in delivery]
        for each in ids:
            position = parse_position(each)
            if position <= top and each not in before:
                yield Violation(Kind.DUPLICATE, name, each, (f"after {top}",))
            top = max(top, position)
        if ids != sorted(ids, key=parse_position):
            yield Violation(Kind.DISORDER, name, ids[0], tuple(ids))
        last = max(map(parse_position, ids), default=top)
        before = frozenset(ids) | {each for each in before if parse_position(each) > last}


def _in_two_messages(
    name: str, ids: Sequence[str], deliveries: Sequence[Sequence[tuple[str, str]]]
) -> Iterator[Violation]:
    """The events that came with two different `webhook-id`s."""
    messages: dict[str, str] = {}
    for here, delivery in zip(ids, deliveries, strict=True):
        for own, _ in delivery:
            if (first := messages.setdefault(own, here)) != here:
                yield Violation(Kind.DUPLICATE, name, own, (f"in {first} and in {here}",))


def _content(
    name: str,
    deliveries: Sequence[Sequence[tuple[str, str]]],
    journal: Sequence[JournalEntry],
    *,
    lost: bool,
) -> Iterator[Violation]:
    got: dict[str, set[str]] = {}
    for delivery in deliveries:
        for position, body in delivery:
            got.setdefault(position, set()).add(body)
    for entry in journal:
        bodies = got.get(entry.position)
        if bodies is None:
            yield Violation(Kind.MISSING, name, entry.position, (entry.type,))
        elif not lost and orjson.dumps(orjson.loads(entry.body)).decode() not in bodies:
            yield Violation(Kind.ALTERED, name, entry.position, (entry.type,))
