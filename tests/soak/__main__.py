"""`make soak`: run the system under steady load for an hour, or DURATION seconds.

With FLOOD=1, one account floods the system all the time.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.report import show
from tests.soak.run import MOST_MILLISECONDS, SoakResult, soak
from tests.soak.slope import Samples, line, without_warm_up

_HOUR = 3600


def main() -> int:
    """Exit with 1 if a service grew, an event was lost, or live events came late."""
    seconds = float(os.environ.get("DURATION") or _HOUR)
    flood = os.environ.get("FLOOD") == "1"
    console = Console(width=110)
    console.print(f"make soak DURATION={seconds:g}{' FLOOD=1' if flood else ''}")
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(soak(Path(folder), seconds=seconds, flood=flood))
    console.print(table(result))
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(result.keys.items()))
    console.print(f"keys of Redis: {kinds}")
    show(result.report, console)
    for line_ in side_effects(result):
        console.print(line_, highlight=False)
    if result.growing:
        console.print(f"[bold]growing[/]: {', '.join(result.growing)}")
    return 1 if result.growing or result.report.violations or result.late else 0


def side_effects(result: SoakResult) -> list[str]:
    """What the flood did, and the delay of live events."""
    lines = [
        f"live delivery: {each.count} events, p50 {each.p50} ms, p99 {each.p99} ms, "
        f"most {each.most} ms (goal: p99 up to {MOST_MILLISECONDS:g} ms)"
        for each in result.live
    ]
    for each in result.flood:
        counts = ", ".join(f"{count} {kind}" for kind, count in each.requests.items())
        lines.append(f"flood, with {each.cpu:.0%} of a CPU: {counts}")
    return lines


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
