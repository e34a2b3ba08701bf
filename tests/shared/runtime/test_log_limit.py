"""A flood of log lines is cut to a few, and the next line counts the others."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import structlog

from services.fanout.reasons import EndReason
from shared.runtime.log_limit import LineLimit, LineLimitFilter, limit_events
from shared.web.problems import Goodbye


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of the limit; a new limit for structlog."""
    now = [100.0]
    monkeypatch.setattr("shared.runtime.log_limit.time.monotonic", lambda: now[0])
    monkeypatch.setattr("shared.runtime.log_limit._EVENTS", LineLimit())
    return now


def logged(event: str, **more: Any) -> dict[str, Any] | None:
    """The line of this event; None if it is left out."""
    try:
        return dict(limit_events(None, "info", {"event": event, **more}))
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


def test_a_flood_of_one_reason_does_not_hide_another(now: list[float]) -> None:
    lines = [logged("connection_ended", reason=EndReason.GONE) for _ in range(100)]
    assert lines.count(None) == 90
    assert logged("connection_ended", reason=Goodbye.SLOW)
    assert logged("connection_ended", reason=EndReason.GONE) is None
    texts = [logged("jwks_key_refused", reason=f"text {n}") for n in range(100)]
    assert texts.count(None) == 90, "a text that is no member of an Enum makes no new kind"


def raised(error: Exception, exc_info: object = True) -> dict[str, Any] | None:
    """The line of a request that failed with this error; None if it is left out."""
    try:
        raise error
    except type(error):
        return logged("request_failed", exc_info=exc_info)


def test_a_flood_of_one_exception_does_not_hide_another(now: list[float]) -> None:
    assert [raised(KeyError("a")) for _ in range(100)].count(None) == 90
    assert raised(ValueError("b"))
    assert raised(ValueError("c"), exc_info=KeyError("a")) is None
    assert logged("request_failed", exc_info=False), "a line without an exception"


def test_the_actions_of_admins_are_always_logged(now: list[float]) -> None:
    assert all(logged("audit") for _ in range(100))


def test_a_flood_of_a_library_is_counted(now: list[float]) -> None:
    limit = LineLimitFilter()

    def text(name: str, error: Exception | None = None) -> str | None:
        exc_info = (type(error), error, None) if error else None
        record = logging.LogRecord(name, logging.ERROR, "", 1, "from %s", ("ip",), exc_info)
        return record.getMessage() if limit.filter(record) else None

    assert [text("aiohttp.server") for _ in range(60)] == ["from ip"] * 10 + [None] * 50
    assert text("asyncio") == "from ip"
    assert [text("aiohttp.server", KeyError()) for _ in range(60)].count(None) == 50
    assert text("aiohttp.server", ValueError()) == "from ip", "another type of exception"
    now[0] += 1
    assert text("aiohttp.server") == "from ip (50 lines of aiohttp.server not logged before)"
