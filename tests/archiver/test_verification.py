"""What verify finds in segments and between them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from services.archiver.verification import check_catalog, check_segment
from shared.archive.hashes import CHAIN_START
from shared.archive.manifest import Manifest
from shared.archive.writer import encode
from shared.journal.wire import JournalEntry
from tests.shared.archive.entries import EntrySource

ENTRIES = EntrySource(5, 5).take(12)


def manifest_of(entries: Sequence[JournalEntry]) -> Manifest:
    return encode(entries, CHAIN_START).manifest


def kinds(manifest: Manifest, entries: Sequence[JournalEntry]) -> list[str]:
    return [each.what for each in check_segment(manifest, entries, {})]


def test_a_segment_as_it_was_written_has_no_finding() -> None:
    assert kinds(manifest_of(ENTRIES), ENTRIES) == []


def test_each_change_of_an_entry_breaks_the_chain() -> None:
    manifest, entry = manifest_of(ENTRIES), ENTRIES[5]
    for changed in (
        entry._replace(body=entry.body.replace(b"stream", b"steam", 1)),
        entry._replace(topics=entry.topics[1:]),
        entry._replace(type="stream.paused"),
    ):
        assert kinds(manifest, [*ENTRIES[:5], changed, *ENTRIES[6:]]) == ["chain"]


@pytest.mark.parametrize("n", [1, 5, 10])
def test_an_order_that_the_chain_confirms_is_still_wrong(n: int) -> None:
    """Somebody has written a manifest for entries in the wrong order, or without one."""
    whole = manifest_of(ENTRIES)
    missing = [*ENTRIES[:n], *ENTRIES[n + 1 :]]
    repaired = [each._replace(previous=before.position) for before, each in pairwise(missing)]
    chain = manifest_of([missing[0], *repaired])
    assert "order" in kinds(replace(chain, first=whole.first, last=whole.last), missing)
    twice = [*ENTRIES[: n + 1], ENTRIES[n], *ENTRIES[n + 1 :]]
    assert "order" in kinds(replace(whole, count=13), twice)


def test_between_segments_nothing_is_missing() -> None:
    one = manifest_of(ENTRIES[:4])
    two = encode(ENTRIES[4:8], bytes.fromhex(one.chain)).manifest
    three = encode(ENTRIES[8:], bytes.fromhex(two.chain)).manifest
    assert list(check_catalog([one, two, three], whole=True)) == []
    assert list(check_catalog([two, three], whole=False)) == []
    assert [each.what for each in check_catalog([two, three], whole=True)] == ["start"]
    assert [each.what for each in check_catalog([one, three], whole=True)] == ["chain", "gap"]
    later = encode(ENTRIES[8:], bytes.fromhex(one.chain)).manifest
    assert [each.what for each in check_catalog([one, later], whole=True)] == ["gap"]
    assert list(check_catalog([], whole=True)) == []
