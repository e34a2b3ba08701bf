"""`make soak`: run the system under steady load for an hour, or DURATION seconds."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.report import show
from tests.soak.run import SoakResult, soak
from tests.soak.slope import Samples, line, without_warm_up

_HOUR = 3600


def main() -> int:
    """Exit with 1 if memory or descriptors of a service grew, or if an event was lost."""
    seconds = float(os.environ.get("DURATION") or _HOUR)
    console = Console(width=110)
    console.print(f"make soak DURATION={seconds:g}")
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(soak(Path(folder), seconds=seconds))
    console.print(table(result))
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(result.keys.items()))
    console.print(f"keys of Redis: {kinds}")
    show(result.report, console)
    if result.growing:
        console.print(f"[bold]growing[/]: {', '.join(result.growing)}")
    return 1 if result.growing or result.report.violations else 0


def table(result: SoakResult) -> Table:
    """Memory and descriptors of each process, and their growth in an hour."""
    made = Table("part", "memory, MB", "an hour", "descriptors", "an hour")
    for name, gauge in result.samples.items():
        made.add_row(name, *_row(gauge.memory, ".1f"), *_row(gauge.descriptors, ".0f"))
    return made


def _row(samples: Samples, form: str) -> tuple[str, str]:
    """The first and the last value after the warm-up, and the slope with two standard errors."""
    kept = without_warm_up(samples)
    found = line(kept)
    span = f"{kept[0][1]:{form}} → {kept[-1][1]:{form}}"
    return span, f"{found.slope * _HOUR:+.2f} ± {2 * found.error * _HOUR:.2f}"


if __name__ == "__main__":
    sys.exit(main())
