"""The progress of a backfill: log lines, or a bar on a terminal, and nothing at the tip."""

from __future__ import annotations

import io

import pytest
import structlog
from rich.console import Console
from structlog.testing import capture_logs

from services.indexer.ingest import progress_bar as module
from services.indexer.ingest.progress_bar import BackfillProgress


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "log", structlog.get_logger())


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_backfill_is_logged_regularly_with_the_remaining_ledgers() -> None:
    clock = Clock()
    progress = BackfillProgress(terminal=False, clock=clock)
    with capture_logs() as lines:
        for ledger in range(0, 1001, 10):
            progress.update(ledger, 1000, events=30)
            clock.now += 1
        progress.update(1000, 1000)
        progress.update(1001, 1001)
    assert [line["event"] for line in lines] == ["backfill"] * (1 + 9) + ["caught_up"]
    assert lines[0]["remaining"] == 1000
    assert lines[1] == {
        "event": "backfill",
        "log_level": "info",
        "ledger": 100,
        "remaining": 900,
        "percent": 10.0,
        "per_second": 10,
        "events_per_second": 30,
        "seconds_left": 90,
    }
    assert lines[-1]["ledgers"] == 1000
    assert lines[-1]["events"] == 30 * 100  # those of the first call came before the backfill


def test_nothing_is_logged_at_the_tip() -> None:
    progress = BackfillProgress(terminal=False)
    with capture_logs() as lines:
        for ledger in range(500):
            progress.update(ledger, ledger + 99)
    assert not lines


def test_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()

    def console(*, stderr: bool) -> Console:
        assert stderr
        return Console(file=shown, force_terminal=True, width=120)

    monkeypatch.setattr(module, "Console", console)
    progress = BackfillProgress(terminal=True)
    with capture_logs() as lines:
        progress.update(0, 400)
        progress.update(200, 400, events=50)
        progress.update(200, 400)
        progress.close()
        progress.update(300, 410)
        progress.update(409, 410)
    assert "backfill" in shown.getvalue()
    assert "/400" in shown.getvalue()
    assert "50%" in shown.getvalue()
    assert "events/s" in shown.getvalue()
    assert [line["event"] for line in lines] == ["backfill", "backfill", "caught_up"]
    before = shown.tell()
    progress.update(410, 410)
    assert shown.tell() == before
