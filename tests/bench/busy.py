"""Whether other programs used the machine while a case was measured.

See docs/decisions/0091-only-ratios-can-regress.md.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_IDLE, _IOWAIT, _GUEST = 3, 4, 8
"""Fields of the first line of /proc/stat: proc_stat(5). The guest's time is in `user` too."""

MOST = 10.0
"""Percent of one core. With more, other programs changed what was measured."""


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds so far, of the whole machine and of this process with its ended children."""

    at: float
    machine: float
    own: float


def usage() -> Usage:
    """The usage now. Children of this process count when they have ended and were waited for."""
    stat = Path("/proc/stat").read_text(encoding="ascii")
    return Usage(time.monotonic(), busy_ticks(stat) / _TICKS, sum(os.times()[:4]))


def busy_ticks(stat: str) -> int:
    """The time that the machine did not idle, stolen time included, from the text of /proc/stat."""
    fields = [int(field) for field in stat.partition("\n")[0].split()[1:]]
    return sum(n for i, n in enumerate(fields) if i not in {_IDLE, _IOWAIT} and i < _GUEST)


def others(before: Usage, after: Usage) -> float:
    """The CPU time of all other programs between two usages, in percent of one core."""
    used = (after.machine - before.machine) - (after.own - before.own)
    return max(0.0, used / (after.at - before.at) * 100)


def warning(percent: float) -> str:
    """What to say about it; empty if the numbers can be believed."""
    if percent <= MOST:
        return ""
    return (
        f"The machine was busy: {percent:.0f} % of a core went to other programs during this case. "
        "Do not believe these numbers."
    )
