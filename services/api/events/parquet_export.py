"""Events as Parquet, in row groups that are written one after the other. Pure.

The columns are those of the archive, without the ones that only the archive itself needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from services.api.events.ranges import MissingRange
from shared.journal.wire import JournalEntry

_COLUMNS = (
    *("position", "type", "stream", "topics"),
    *("ledger", "closed_at", "transaction", "published_at", "body"),
)
_GROUP_ENTRIES = 10_000
_GROUP_BYTES = 8 << 20
"""A row group is written when it has so many entries or bytes of bodies."""


class ParquetExport:
    """A Parquet file. pyarrow is imported with the first one, because it needs 40 MB of memory."""

    def __init__(self) -> None:
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow.parquet import ParquetWriter  # noqa: PLC0415

        from shared.archive.segment import SCHEMA, table_of  # noqa: PLC0415

        self._table_of = table_of
        self._pieces = _Pieces()
        sink = pa.PythonFile(self._pieces, mode="w")
        schema = pa.schema([SCHEMA.field(name) for name in _COLUMNS])
        self._writer = ParquetWriter(sink, schema, compression="zstd")
        self._sink = sink
        self._waiting: list[JournalEntry] = []
        self._bytes = 0
        self._gaps: list[dict[str, str]] = []

    def entries(self, entries: Sequence[JournalEntry]) -> bytes:
        """The next row group, once enough entries are there for one."""
        self._waiting += entries
        self._bytes += sum(len(entry.body) for entry in entries)
        if len(self._waiting) >= _GROUP_ENTRIES or self._bytes >= _GROUP_BYTES:
            self._write()
        return self._pieces.take()

    def gap(self, missing: MissingRange) -> bytes:
        """Nothing yet: the gaps are named at the end of the file."""
        after, to = map(str, missing)
        self._gaps.append({"from": after, "to": to})
        return b""

    def filler(self) -> bytes:
        """A zero byte between two row groups. The footer says where they are, so it is skipped."""
        self._sink.write(b"\0")  # not to the pieces: the writer must count it
        return self._pieces.take()

    def end(self) -> bytes:
        """The last row group, and the footer with the schema and the gaps."""
        if self._waiting:
            self._write()
        self._writer.add_key_value_metadata({"headrace.gaps": orjson.dumps(self._gaps).decode()})
        self._writer.close()
        self._sink.close()
        return self._pieces.take()

    def _write(self) -> None:
        self._writer.write_table(self._table_of(self._waiting, {}).select(_COLUMNS))
        self._waiting, self._bytes = [], 0


class _Pieces:
    """A file that keeps what was written until it is taken. pyarrow calls its methods."""

    closed = False

    def __init__(self) -> None:
        self._written: list[bytes] = []
        self._size = 0

    def write(self, data: Any) -> int:
        self._written.append(bytes(data))
        self._size += len(self._written[-1])
        return len(self._written[-1])

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        self.closed = True

    def take(self) -> bytes:
        taken, self._written = b"".join(self._written), []
        return taken
