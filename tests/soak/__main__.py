"""`make soak`: an hour of steady life, DURATION in seconds; exit code 1 when something grew."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.report import show
from tests.soak.run import Soaked, soak
from tests.soak.slope import Samples, line, settled

_HOUR = 3600


def main() -> int:
    """Exit code 1 when memory or descriptors of a service grew, or something was lost."""
    seconds = float(os.environ.get("DURATION") or _HOUR)
    console = Console(width=110)
    console.print(f"make soak DURATION={seconds:g}")
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(soak(Path(folder), seconds=seconds))
    console.print(table(result))
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(result.keys.items()))
    console.print(f"keys of Redis: {kinds}")
    show(result.report, console)
    if result.grown:
        console.print(f"[bold]grown[/]: {', '.join(result.grown)}")
    return 1 if result.grown or result.report.violations else 0


def table(result: Soaked) -> Table:
    """Each part's memory and descriptors, and what they grow in an hour."""
    made = Table("part", "memory, MB", "an hour", "descriptors", "an hour")
    for name, gauge in result.gauges.items():
        made.add_row(name, *_row(gauge.memory, ".1f"), *_row(gauge.descriptors, ".0f"))
    return made


def _row(samples: Samples, form: str) -> tuple[str, str]:
    """First and last value after the warm-up, and the slope with two standard errors."""
    kept = settled(samples)
    found = line(kept)
    span = f"{kept[0][1]:{form}} → {kept[-1][1]:{form}}"
    return span, f"{found.slope * _HOUR:+.2f} ± {2 * found.error * _HOUR:.2f}"


if __name__ == "__main__":
    sys.exit(main())
