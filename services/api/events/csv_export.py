"""Events as CSV (RFC 4180), written so that a spreadsheet executes no cell as a formula. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence

import orjson

from shared.domain.instant import utc_text
from shared.journal.wire import JournalEntry

_PLAIN = (
    "type",
    "streamId",
    "sender",
    "recipient",
    "tokenAddress",
    "amount",
    "depositedAmount",
    "newDepositedAmount",
    "refundedAmount",
    "feeAmount",
    "origin",
    "ledger",
    "ledgerClosedAt",
    "txHash",
    "verified",
)
_KNOWN = frozenset({*_PLAIN, "id", "timestamp", "publishedAt", "stream", "contractId"})
COLUMNS = ("id", "time", *_PLAIN, "status", "version", "more")
"""The columns. `time` is the event's time in UTC; `more` holds the event's other fields as JSON."""

_FORMULA_START = re.compile(r"[\s]*[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]")
_NUMBER = re.compile(r"-?\d+", re.ASCII)


def events_to_csv(entries: Iterable[JournalEntry]) -> bytes:
    """A header line and one line for each event, in UTF-8."""
    return csv_header() + csv_lines(orjson.loads(entry.body) for entry in entries)


def csv_header() -> bytes:
    """The line with the names of the columns."""
    return _lines([COLUMNS])


def csv_lines(events: Iterable[Mapping[str, object]]) -> bytes:
    """One line for each event. Fields that an event lacks are empty."""
    return _lines(map(_row, events))


def _lines(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _row(event: Mapping[str, object]) -> list[str]:
    stream = event.get("stream")
    state: Mapping[str, object] = stream if isinstance(stream, Mapping) else {}
    more = {name: value for name, value in event.items() if name not in _KNOWN}
    return [
        _cell(event["id"]),
        _time(event.get("timestamp", "")),
        *(_cell(event.get(name)) for name in _PLAIN),
        _cell(state.get("status")),
        _cell(state.get("version")),
        _cell(orjson.dumps(more).decode() if more else None),
    ]


def _cell(value: object) -> str:
    """The value as text. An apostrophe before a formula prevents its execution (OWASP)."""
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{text}" if _FORMULA_START.match(text) and not _NUMBER.fullmatch(text) else text


def _time(seconds: object) -> str:
    """The time in ISO 8601; the number itself if the calendar has no such date."""
    text = str(seconds)
    return utc_text(int(text)) if text.lstrip("-").isdecimal() else text
