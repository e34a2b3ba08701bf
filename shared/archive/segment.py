"""A segment as Parquet: the entries, and the topic index. Pure.

A row is one entry. The columns besides `body` repeat what is in the body, so that DuckDB, Spark or
pandas can select rows without parsing it. `toid` and `n` are the two numbers of the position: a
row group has their least and highest values, by which a reader finds its row groups.

`hash` is only set where the body was erased: it is the hash of the original entry. All other
hashes follow from the row (shared.archive.hashes).

See docs/decisions/0120-segments-are-parquet.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from shared.archive.hashes import HASH_BYTES
from shared.domain.instant import unix_seconds
from shared.domain.position import parse_position
from shared.journal.wire import JournalEntry

ROW_GROUP = 16_384
"""Entries in a row group."""

_TIME = pa.timestamp("us", "UTC")
SCHEMA = pa.schema(
    [
        pa.field("toid", pa.uint64(), nullable=False),
        pa.field("n", pa.uint64(), nullable=False),
        pa.field("position", pa.string(), nullable=False),
        pa.field("previous", pa.string(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("stream", pa.string()),
        pa.field("topics", pa.list_(pa.string()), nullable=False),
        pa.field("ledger", pa.uint32()),
        pa.field("closed_at", _TIME),
        pa.field("transaction", pa.binary(HASH_BYTES)),
        pa.field("published_at", _TIME, nullable=False),
        pa.field("body", pa.binary(), nullable=False),
        pa.field("hash", pa.binary(HASH_BYTES)),
    ]
)
"""The columns of a segment. `transaction` is the hash of the transaction, as 32 bytes."""

ENTRY_COLUMNS = ("position", "previous", "type", "topics", "body")
"""The columns that make a journal entry."""

_WRITING: dict[str, Any] = {
    "compression": "zstd",
    "write_page_checksum": True,
    "data_page_size": 8 << 20,
    "dictionary_pagesize_limit": 8 << 20,
    "use_dictionary": ["type", "stream", "topics"],
    "column_encoding": {
        "toid": "DELTA_BINARY_PACKED",
        "n": "DELTA_BINARY_PACKED",
        "position": "DELTA_BYTE_ARRAY",
        "previous": "DELTA_BYTE_ARRAY",
        "ledger": "DELTA_BINARY_PACKED",
        "closed_at": "DELTA_BINARY_PACKED",
        "published_at": "DELTA_BINARY_PACKED",
    },
    "write_statistics": ["toid", "n", "type", "ledger", "closed_at", "published_at"],
}


def encode_segment(
    entries: Sequence[JournalEntry], erased: Mapping[str, bytes] | None = None, *, level: int = 3
) -> bytes:
    """The Parquet file with these entries, oldest first.

    `erased` has the hash of the original entry for each position whose body was replaced. `level`
    is the level of zstd: a higher one takes more time and less space.
    """
    sink = pa.BufferOutputStream()
    table = table_of(entries, erased or {})
    pq.write_table(table, sink, row_group_size=ROW_GROUP, compression_level=level, **_WRITING)
    return bytes(sink.getvalue())


def table_of(entries: Sequence[JournalEntry], erased: Mapping[str, bytes]) -> pa.Table:
    """The rows of these entries, with the columns of SCHEMA. There must be at least one."""
    rows = (_row(entry, erased.get(entry.position)) for entry in entries)
    columns = zip(zip(*rows, strict=True), SCHEMA, strict=True)
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in columns], schema=SCHEMA)


def _row(entry: JournalEntry, original: bytes | None) -> tuple[object, ...]:
    """The values of one row. Parsed bodies are not kept: they would need much memory."""
    toid, n = parse_position(entry.position)
    body = orjson.loads(entry.body)
    closed_at, transaction = body.get("ledgerClosedAt"), body.get("txHash")
    return (
        toid,
        n,
        entry.position,
        entry.previous,
        str(entry.type),
        body.get("streamId"),
        entry.topics,
        body.get("ledger"),
        None if closed_at is None else round(unix_seconds(closed_at) * 1_000_000),
        None if transaction is None else bytes.fromhex(transaction),
        body["publishedAt"],
        entry.body,
        original,
    )


def decode_entries(table: pa.Table | pa.RecordBatch) -> list[JournalEntry]:
    """The journal entries in rows with at least the ENTRY_COLUMNS."""
    columns = (table.column(name).to_pylist() for name in ENTRY_COLUMNS)
    return [
        JournalEntry(position, previous, kind, tuple(topics), body)
        for position, previous, kind, topics, body in zip(*columns, strict=True)
    ]


def decode_segment(file: bytes) -> tuple[list[JournalEntry], dict[str, bytes]]:
    """All entries of a segment, and the hashes of the originals of the erased ones."""
    table = pq.read_table(pa.BufferReader(file), columns=[*ENTRY_COLUMNS, "hash"])
    entries = decode_entries(table)
    hashes = table.column("hash").to_pylist()
    pairs = zip(entries, hashes, strict=True)
    return entries, {entry.position: digest for entry, digest in pairs if digest}
