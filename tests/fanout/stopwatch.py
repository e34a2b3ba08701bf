"""A stopwatch for assertions about delays. On a busy machine a process waits seconds for a CPU."""

from __future__ import annotations

import os
import time
from pathlib import Path


class Stopwatch:
    """Starts now. Leaves out the time in which this process or the others waited for a CPU.

    That time says nothing about the program under test. All processes must still run when `seconds`
    is read. Where the kernel does not tell this time, nothing is left out.
    """

    def __init__(self, *others: int) -> None:
        self._pids = (os.getpid(), *others)
        self._began = self._now()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._now() - self._began

    def _now(self) -> float:
        return time.monotonic() - sum(map(_waited, self._pids))


def _waited(pid: int) -> float:
    """Seconds in which the main thread of a process was ready to run but had no CPU (Linux)."""
    try:
        _, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    except OSError:
        return 0.0
    return int(waited) / 1e9
