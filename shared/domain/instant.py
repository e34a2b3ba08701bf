"""Instants: from RFC 3339 texts such as `2026-07-21T18:01:10Z` to Unix seconds and back. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=512)  # cached, because all events of a ledger have the same close time
def unix_seconds(text: str) -> float:
    """Unix seconds of an RFC 3339 text.

    Raises ValueError if the text is malformed, has no time zone or is a time before 1970.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or moment.timestamp() < 0:
        raise ValueError(f"{text[:64]!r} is not a time with its zone, from 1970 on")
    return moment.timestamp()


def utc_text(seconds: float) -> str:
    """Unix seconds as `YYYY-MM-DDTHH:MM:SSZ`, without fractions of a second.

    If the calendar has no such date, the text is the number itself.
    """
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(seconds)
