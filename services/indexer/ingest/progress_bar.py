"""Show the progress of a backfill: a bar on a terminal, otherwise log lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import structlog
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

log = structlog.get_logger()

_MIN_LEDGERS = 100
"""A backfill is reported if the indexer is at least this many ledgers behind."""
_LOG_SECONDS = 10.0
"""Seconds between two log lines."""


class BackfillProgress:
    """Reports progress while the indexer is far behind. Call `update` after each commit."""

    def __init__(
        self, *, terminal: bool | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._clock = clock
        self._started: tuple[float, int] | None = None
        self._logged_at = 0.0
        self._bar: Progress | None = None
        self._events = 0

    def update(self, ledger: int, latest: int, events: int = 0) -> None:
        """Note that everything up to `ledger` is committed. `latest`: the source's last ledger.

        `events`: how many events were committed since the last call.
        """
        self._events += events
        if self._started is None:
            if latest - ledger >= _MIN_LEDGERS:
                self._start(ledger, latest)
        elif latest - ledger <= 1:
            self._end(ledger)
        else:
            self._report(ledger, latest)

    def close(self) -> None:
        """Remove the bar, if there is one."""
        if self._bar:
            self._bar.stop()
        self._started = self._bar = None

    def _start(self, ledger: int, latest: int) -> None:
        self._started = (self._clock(), ledger)
        self._events = 0
        self._logged_at = self._clock()
        log.info("backfill", ledger=ledger, remaining=latest - ledger)
        if self._terminal:
            self._bar = _bar()
            self._bar.add_task("backfill", total=latest - ledger, rate="")
            self._bar.start()

    def _report(self, ledger: int, latest: int) -> None:
        assert self._started
        started_at, first = self._started
        seconds = max(self._clock() - started_at, 0.001)
        done, total = ledger - first, latest - first
        if self._bar:
            rate = f"{self._events / seconds:,.0f} events/s"
            self._bar.update(self._bar.task_ids[0], completed=done, total=total, rate=rate)
        elif self._clock() - self._logged_at >= _LOG_SECONDS:
            self._logged_at = self._clock()
            log.info(
                "backfill",
                ledger=ledger,
                remaining=total - done,
                percent=round(100 * done / total, 1),
                per_second=round(done / seconds),
                events_per_second=round(self._events / seconds),
                seconds_left=round((total - done) / done * seconds) if done else None,
            )

    def _end(self, ledger: int) -> None:
        assert self._started
        started_at, first = self._started
        self.close()
        seconds = round(self._clock() - started_at, 1)
        log.info(
            "caught_up",
            ledger=ledger,
            ledgers=ledger - first,
            events=self._events,
            seconds=seconds,
        )


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn("ledgers, {task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
