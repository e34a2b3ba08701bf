"""Telling how a backfill gets on: a bar on a terminal, lines in the log elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

log = structlog.get_logger()

_FAR = 100
"""Ledgers behind from which on catching up takes a while."""
_EVERY = 10.0
"""Seconds between two lines."""


class BackfillProgress:
    """Told of every commit; says something only while far behind."""

    def __init__(
        self, *, terminal: bool | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._clock = clock
        self._began: tuple[float, int] | None = None
        self._said_at = 0.0
        self._bar: Progress | None = None

    def at(self, ledger: int, latest: int) -> None:
        """Everything up to `ledger` was committed, the source has up to `latest`."""
        if self._began is None:
            if latest - ledger >= _FAR:
                self._begin(ledger, latest)
        elif latest - ledger <= 1:
            self._end(ledger)
        else:
            self._tell(ledger, latest)

    def close(self) -> None:
        """Take the bar away, if there is one."""
        if self._bar:
            self._bar.stop()
        self._began = self._bar = None

    def _begin(self, ledger: int, latest: int) -> None:
        self._began = (self._clock(), ledger)
        self._said_at = self._clock()
        log.info("backfill", ledger=ledger, remaining=latest - ledger)
        if self._terminal:
            self._bar = _bar()
            self._bar.add_task("backfill", total=latest - ledger)
            self._bar.start()

    def _tell(self, ledger: int, latest: int) -> None:
        assert self._began
        began_at, first = self._began
        if self._bar:
            done = ledger - first
            self._bar.update(self._bar.task_ids[0], completed=done, total=latest - first)
        elif self._clock() - self._said_at >= _EVERY:
            self._said_at = self._clock()
            pace = (ledger - first) / max(self._clock() - began_at, 0.001)
            left = round((latest - ledger) / pace) if pace else None
            log.info(
                "backfill",
                ledger=ledger,
                remaining=latest - ledger,
                per_second=round(pace),
                seconds_left=left,
            )

    def _end(self, ledger: int) -> None:
        assert self._began
        began_at, first = self._began
        self.close()
        seconds = round(self._clock() - began_at, 1)
        log.info("caught_up", ledger=ledger, ledgers=ledger - first, seconds=seconds)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("ledgers"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
