"""Checks an archive against the journal. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from shared.domain.position import parse_position
from shared.journal.wire import JournalEntry
from tests.chaos.checker import Kind, Violation


def check_archive(
    archived: Sequence[JournalEntry], journal: Sequence[JournalEntry]
) -> Iterator[Violation]:
    """The archive has each entry once, in order and without a gap, as the journal has it."""
    for before, each in pairwise(archived):
        if parse_position(each.position) <= parse_position(before.position):
            yield Violation(Kind.DUPLICATE, "archive", each.position, (str(before.position),))
        elif each.previous != before.position:
            yield Violation(Kind.MISSING, "archive", each.position, (f"after {before.position}",))
    known = {each.position: each for each in archived}
    for each in journal:
        if each.position in known and known[each.position] != each:
            yield Violation(Kind.ALTERED, "archive", each.position)
    if archived and journal:
        first, end = journal[0], parse_position(archived[-1].position)
        if parse_position(first.previous) > end:
            yield Violation(Kind.MISSING, "archive", f"{end} to {first.position}")
