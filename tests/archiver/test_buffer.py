"""When the events in the buffer become a segment, and with which progress."""

from __future__ import annotations

from dataclasses import replace

from services.archiver.buffer import SegmentBuffer
from services.archiver.progress_note import latest
from shared.archive.manifest import Manifest
from shared.domain.position import Position
from shared.journal.wire import JournalEntry
from tests.archiver.test_merging import segment


def entry(n: int, size: int = 100) -> JournalEntry:
    return JournalEntry(f"{n}-0", f"{n - 1}-0", "stream.created", (), b"x" * size)


def test_it_is_due_by_age_or_by_size() -> None:
    buffer = SegmentBuffer(limit=1_000, seconds=10)
    buffer.start(Position(7, 0))
    assert not buffer.is_due(99), "there is nothing to write"
    buffer.add([entry(8)], 100)
    buffer.add([entry(9)], 105)
    assert not buffer.is_due(109.9)
    assert buffer.is_due(110), "the age of the oldest counts"
    assert not buffer.is_full
    buffer.add([entry(10, 10_000)], 106)
    assert buffer.is_full
    assert buffer.is_due(106)
    assert buffer.end == Position(10, 0)


def test_it_learns_how_small_a_segment_becomes() -> None:
    buffer = SegmentBuffer(limit=1_000, seconds=10)
    buffer.add([entry(1, 10_000)], 0)
    buffer.written(500)
    assert (buffer.entries, buffer.end) == ([], Position(1, 0))
    buffer.add([entry(2, 19_000)], 1)
    assert not buffer.is_full
    buffer.add([entry(3, 1_000)], 1)
    assert buffer.is_full


def test_the_progress_belongs_to_the_end_of_the_journal() -> None:
    buffer = SegmentBuffer(limit=1_000, seconds=10)
    buffer.add([entry(1)], 0)
    assert not buffer.progress
    buffer.reached_tip({"cursor": "1"})
    assert buffer.progress == {"cursor": "1"}
    buffer.add([entry(2)], 0)
    assert not buffer.progress, "entry 2 came after the progress was read"


def test_the_newest_known_progress_counts() -> None:
    one, two = segment(1, 1), segment(2, 1)
    known = [replaced(one, "5"), replaced(two, "12-0")]
    assert latest([one, two], {}) == {}
    assert latest(known, {}) == {"cursor": "12-0"}
    assert latest(known, {"cursor": "9"}) == {"cursor": "12-0"}
    assert latest(known, {"cursor": "13"}) == {"cursor": "13"}
    assert latest([one], {"first": "0-0"}) == {"first": "0-0"}, "an archive of the API alone"


def replaced(manifest: Manifest, cursor: str) -> Manifest:
    return replace(manifest, progress={"cursor": cursor})
