"""`make chaos`: the whole system under random faults.

SEED and DURATION are read from the environment.

REDIS is the kind of Redis. START is where the indexers begin: by default `earliest` with an odd
seed and `latest` with an even one. With FLOOD=1, one account floods the system all the time.
ARCHIVE=file or ARCHIVE=s3 adds an archive: then nothing is ever lost. WEBHOOKS=1 adds dispatchers,
and receivers that write down what they verified.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tests.chaos.kinds import of_kind
from tests.chaos.report import show
from tests.chaos.run import run


def main() -> int:
    """Exit code 1 if there was a violation, or a fault that was alone took longer than its goal."""
    seed = int(os.environ.get("SEED") or random.randrange(1_000_000))
    seconds = float(os.environ.get("DURATION") or 60)
    console = Console(width=110)
    kind = os.environ.get("REDIS") or "single"
    start = os.environ.get("START") or ("latest", "earliest")[seed % 2]
    flood = os.environ.get("FLOOD") == "1"
    archive = os.environ.get("ARCHIVE") or ""
    more = f" REDIS={kind} START={start}{' FLOOD=1' if flood else ''}"
    more += f" ARCHIVE={archive}" if archive else ""
    webhooks = os.environ.get("WEBHOOKS") == "1"
    more += " WEBHOOKS=1" if webhooks else ""
    console.print(f"make chaos SEED={seed} DURATION={seconds:g}{more}")
    with tempfile.TemporaryDirectory() as folder:
        given = {
            "flood": flood,
            "archive": archive,
            "webhooks": webhooks,
            **of_kind(kind),
            "START": start,
        }
        report = asyncio.run(run(Path(folder), seed=seed, seconds=seconds, **given))
    report.more = more
    show(report, console)
    return 1 if report.violations or report.late else 0


if __name__ == "__main__":
    sys.exit(main())
