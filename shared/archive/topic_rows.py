"""The topic index of a segment: which row groups have how many events of a topic. Pure.

A second Parquet file, sorted by topic and then by row group. Its own row groups have the least and
highest topic in their statistics. So a lookup reads one row group. The topic "" stands for the
events that go to everyone (shared.journal.topic_index.BROADCASTS).

See docs/decisions/0120-segments-are-parquet.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shared.archive.segment import ROW_GROUP
from shared.journal.topic_index import BROADCASTS
from shared.journal.wire import JournalEntry

INDEX_SCHEMA = pa.schema(
    [
        pa.field("topic", pa.string(), nullable=False),
        pa.field("row_group", pa.uint32(), nullable=False),
        pa.field("count", pa.uint32(), nullable=False),
    ]
)
INDEX_GROUP = 8_192
"""Rows in a row group of a topic index."""

_WRITING: dict[str, Any] = {
    "compression": "zstd",
    "write_page_checksum": True,
    "use_dictionary": False,
    "column_encoding": {"topic": "DELTA_BYTE_ARRAY"},
    "write_statistics": ["topic"],
}


def encode_index(entries: Sequence[JournalEntry]) -> bytes:
    """The topic index of the segment with these entries."""
    counts: Counter[tuple[str, int]] = Counter()
    for n, entry in enumerate(entries):
        counts.update((topic, n // ROW_GROUP) for topic in entry.topics or (BROADCASTS,))
    rows = sorted(counts.items())
    columns: list[list[object]] = [
        [topic for (topic, _), _ in rows],
        [row_group for (_, row_group), _ in rows],
        [count for _, count in rows],
    ]
    arrays = [
        pa.array(column, each.type) for column, each in zip(columns, INDEX_SCHEMA, strict=True)
    ]
    table = pa.Table.from_arrays(arrays, schema=INDEX_SCHEMA)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=INDEX_GROUP, **_WRITING)
    return bytes(sink.getvalue())


def topics_in(entries: Sequence[JournalEntry]) -> set[str]:
    """All topics of these entries; with the topic "" if one of them goes to everyone."""
    return {topic for entry in entries for topic in entry.topics or (BROADCASTS,)}
