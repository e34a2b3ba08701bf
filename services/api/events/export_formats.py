"""The file formats of an export: CSV, NDJSON and Parquet. Each is written in pieces. Pure.

An export cannot say at its beginning which events are missing. So CSV and NDJSON have a line of the
type `gap` there, and Parquet names the gaps in the metadata of the file (`headrace.gaps`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import orjson

from services.api.events.csv_export import csv_header, csv_lines
from services.api.events.parquet_export import ParquetExport
from services.api.events.ranges import MissingRange
from shared.journal.wire import JournalEntry


class ExportFormat(Protocol):
    """Turns entries into the bytes of a file. The file is the pieces in the order of the calls."""

    def entries(self, entries: Sequence[JournalEntry]) -> bytes:
        """The next piece of the file."""

    def gap(self, missing: MissingRange) -> bytes:
        """The piece that says that events are missing here."""

    def filler(self) -> bytes:
        """A piece without a meaning. It shows gateways that the API is still at work."""

    def end(self) -> bytes:
        """The last piece."""


class CsvExport:
    """A header line, then a line for each event (RFC 4180)."""

    def __init__(self) -> None:
        self._header = csv_header()

    def entries(self, entries: Sequence[JournalEntry]) -> bytes:
        """A line for each event."""
        return self.end() + csv_lines(orjson.loads(entry.body) for entry in entries)

    def gap(self, missing: MissingRange) -> bytes:
        """A line of the type `gap`. `more` names the range."""
        return self.end() + csv_lines([_gap_event(missing)])

    def filler(self) -> bytes:
        """An empty line."""
        return b"\r\n"

    def end(self) -> bytes:
        """The header line, if nothing was written before."""
        header, self._header = self._header, b""
        return header


class NdjsonExport:
    """A line of JSON for each event, with the same bytes as when it was published."""

    def entries(self, entries: Sequence[JournalEntry]) -> bytes:
        """A line for each event."""
        return b"".join(entry.body + b"\n" for entry in entries)

    def gap(self, missing: MissingRange) -> bytes:
        """A line of the type `gap`, with `from` and `to`."""
        return orjson.dumps(_gap_event(missing)) + b"\n"

    def filler(self) -> bytes:
        """An empty line."""
        return b"\n"

    def end(self) -> bytes:
        """Nothing: the last line ends like the others."""
        return b""


def _gap_event(missing: MissingRange) -> Mapping[str, object]:
    after, to = map(str, missing)
    return {"id": to, "type": "gap", "from": after, "to": to}


MEDIA = {
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
"""The content type of each format."""

_FORMATS: Mapping[str, type[ExportFormat]] = {
    "csv": CsvExport,
    "ndjson": NdjsonExport,
    "parquet": ParquetExport,
}


def export_format(name: str) -> ExportFormat:
    """A new file of this format."""
    return _FORMATS[name]()
