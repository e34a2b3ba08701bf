"""A flood of log lines is cut to a few, and the next line counts the others."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import structlog

from shared.runtime.log_limit import LineLimit, LineLimitFilter, limit_events


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of the limit; a new limit for structlog."""
    now = [100.0]
    monkeypatch.setattr("shared.runtime.log_limit.time.monotonic", lambda: now[0])
    monkeypatch.setattr("shared.runtime.log_limit._EVENTS", LineLimit())
    return now


def logged(event: str) -> dict[str, Any] | None:
    """The line of this event; None if it is left out."""
    try:
        return dict(limit_events(None, "info", {"event": event}))
    except structlog.DropEvent:
        return None


def test_a_flood_of_one_event_is_counted_and_other_events_are_logged(now: list[float]) -> None:
    lines = [logged("connection_ended") for _ in range(5000)]
    assert lines[:10] == [{"event": "connection_ended"}] * 10
    assert lines[10:].count(None) == 4990
    assert logged("redis_emptied") == {"event": "redis_emptied"}
    now[0] += 1
    assert logged("connection_ended") == {"event": "connection_ended", "not_logged_before": 4990}
    assert logged("connection_ended") == {"event": "connection_ended"}


def test_the_actions_of_admins_are_always_logged(now: list[float]) -> None:
    assert all(logged("audit") for _ in range(100))


def test_a_flood_of_a_library_is_counted(now: list[float]) -> None:
    limit = LineLimitFilter()

    def text(name: str) -> str | None:
        record = logging.LogRecord(name, logging.ERROR, "", 1, "from %s", ("ip",), None)
        return record.getMessage() if limit.filter(record) else None

    assert [text("aiohttp.server") for _ in range(60)] == ["from ip"] * 10 + [None] * 50
    assert text("asyncio") == "from ip"
    now[0] += 1
    assert text("aiohttp.server") == "from ip (50 lines of aiohttp.server not logged before)"
