"""Segments: what is written is read again, and other tools can read it without us."""

from __future__ import annotations

from pathlib import Path

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.archive.segment import SCHEMA, decode_segment, encode_segment
from shared.archive.topic_rows import encode_index
from shared.journal.wire import JournalEntry
from tests.shared.archive.entries import BEGAN, EntrySource
from tests.shared.archive.written import PUBLISHED, entries
from tests.support.tier import examples

NUMBERS = st.integers(0, 2**64 - 1)
POSITIONS = st.tuples(NUMBERS, NUMBERS).map(lambda pair: f"{pair[0]}-{pair[1]}")
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Z", "C"]), min_size=1, max_size=8)
BODIES = st.fixed_dictionaries(
    {"publishedAt": st.integers(0, 2**53)},
    optional={
        "streamId": st.none() | TEXTS,
        "ledger": st.integers(0, 2**32 - 1),
        "ledgerClosedAt": st.just("2026-07-21T18:01:10Z"),
        "txHash": st.binary(min_size=32, max_size=32).map(bytes.hex),
        "note": st.text(max_size=20),
    },
).map(orjson.dumps)
ENTRIES = st.builds(
    JournalEntry, POSITIONS, POSITIONS, TEXTS, st.lists(TEXTS, max_size=4).map(tuple), BODIES
)


@settings(max_examples=examples(30))
@given(made=st.lists(ENTRIES, min_size=1, max_size=5), erased=st.sets(st.integers(0, 4)))
def test_every_entry_is_read_as_it_was_written(made: list[JournalEntry], erased: set[int]) -> None:
    hashes = {made[n].position: bytes([n]) * 32 for n in sorted(erased) if n < len(made)}
    assert decode_segment(encode_segment(made, hashes)) == (made, hashes)


def test_the_same_entries_give_the_same_file() -> None:
    made = EntrySource(5, 5).take(20)
    assert encode_segment(made) == encode_segment(made)


def test_the_columns_repeat_what_is_in_the_body() -> None:
    made = EntrySource(5, 5).take(20)
    rows = pq.read_table(pa.BufferReader(encode_segment(made))).to_pylist()
    for entry, row in zip(made, rows, strict=True):
        body = orjson.loads(entry.body)
        assert row["position"] == body["id"] == f"{row['toid']}-{row['n']}"
        assert row["type"] == body["type"]
        assert row["stream"] == body["streamId"]
        assert row["topics"] == list(entry.topics)
        assert row["ledger"] == body["ledger"]
        assert row["closed_at"].timestamp() == BEGAN
        assert row["transaction"].hex() == body["txHash"]
        assert row["published_at"].timestamp() * 1e6 == body["publishedAt"]
        assert row["hash"] is None


def test_an_event_without_a_ledger_has_nulls() -> None:
    (row,) = pq.read_table(pa.BufferReader(encode_segment(entries([[]])))).to_pylist()
    empty = ("stream", "ledger", "closed_at", "transaction", "hash")
    assert {name: row[name] for name in empty} == dict.fromkeys(empty)
    assert row["topics"] == []
    assert row["published_at"].timestamp() * 1e6 == PUBLISHED + 1


def test_duckdb_reads_a_segment_without_us(tmp_path: Path) -> None:
    made = EntrySource(3, 4).take(30)
    (tmp_path / "a.parquet").write_bytes(encode_segment(made))
    query = f"""
        SELECT stream, count(*), sum(CAST(decode(body) ->> 'amount' AS BIGINT))
        FROM '{tmp_path}/*.parquet' WHERE type = 'stream.withdrawn' GROUP BY stream
    """
    expected: dict[str, list[int]] = {}
    for body in map(orjson.loads, (each.body for each in made)):
        if body["type"] == "stream.withdrawn":
            expected.setdefault(body["streamId"], []).append(int(body["amount"]))
    with duckdb.connect() as database:
        rows = database.execute(query).fetchall()
    assert {row[0]: row[1:] for row in rows} == {
        stream: (len(amounts), sum(amounts)) for stream, amounts in expected.items()
    }


def test_the_index_counts_the_events_of_each_topic() -> None:
    made = entries([["1", "user:GA"], ["1"], [], ["user:GA"]])
    rows = pq.read_table(pa.BufferReader(encode_index(made))).to_pylist()
    assert [(row["topic"], row["row_group"], row["count"]) for row in rows] == [
        ("", 0, 1),
        ("1", 0, 2),
        ("user:GA", 0, 2),
    ]


def test_a_file_has_the_columns_that_the_decision_names() -> None:
    assert pq.read_schema(pa.BufferReader(encode_segment(entries([[]])))).equals(SCHEMA)
