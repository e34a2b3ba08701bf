"""Instants: RFC 3339 texts to Unix seconds and back."""

from __future__ import annotations

import pytest

from shared.domain.instant import unix_seconds, utc_text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:01:00+00:00", 60),
        ("1970-01-01T02:00:00.5+02:00", 0.5),
        ("2026-07-21T18:01:10Z", 1784656870),
    ],
)
def test_a_text_with_its_zone_becomes_unix_seconds(text: str, seconds: float) -> None:
    assert unix_seconds(text) == seconds


@pytest.mark.parametrize("text", ["yesterday", "2026-07-21T18:01:10", "1969-12-31T23:59:59Z", ""])
def test_a_text_without_zone_or_before_1970_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message is Python's for most of them
        unix_seconds(text)


def test_unix_seconds_become_a_text_in_utc() -> None:
    assert utc_text(1784656870.9) == "2026-07-21T18:01:10Z"
    assert utc_text(10**15) == str(10**15), "no calendar date"
