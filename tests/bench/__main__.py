"""`make bench`: run benchmarks and print each number beside its goal and the committed result.

It fails if a case fails, or if a ratio got worse by more than its noise (comparison.py).
See docs/decisions/0091-only-ratios-can-regress.md.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
import traceback
from asyncio import timeout
from pathlib import Path

import structlog
import uvloop

from shared.journal.keys import Keys
from tests.bench import busy, results, table
from tests.bench.cases import CASES
from tests.bench.comparison import is_regression
from tests.bench.environment import BenchEnvironment
from tests.bench.peers import nchan
from tests.bench.rows import Row
from tests.support.redis_server import redis_server


async def _measure(name: str, runs: int) -> list[Row]:
    case = CASES[name]
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as url:
        keys = Keys(f"bench-{name}-{int(time.time())}")
        async with timeout(case.limit):
            return await case.measure(BenchEnvironment(url, keys, Path(folder), runs))


def _run(name: str, arguments: argparse.Namespace) -> list[str]:
    """Run a case, print its rows, and return what is wrong with it."""
    before = {row.key: row.runs for row in results.read(results.FOLDER, name)}
    start = busy.usage()
    try:
        rows = uvloop.run(_measure(name, arguments.runs))
    except Exception as exc:  # the other cases still run
        traceback.print_exc()
        return [f"{name} failed: {exc or type(exc).__name__}"]
    end = busy.usage()
    others = busy.others(start, end)
    print(f"| **{name}**, {end.at - start.at:.0f} s | | | | | |")
    for row in rows:
        print(table.line(row, before.get(row.key, ())), flush=True)
    warning = busy.warning(others)
    if warning:
        print(f"| {warning} | | | | | |", flush=True)
    if arguments.force or (arguments.save and not warning):
        results.write(results.FOLDER, name, rows, results.circumstances(others))
    worse = [row for row in rows if is_regression(row, before.get(row.key, ()))]
    return [f"{name} got worse: {row.what}" for row in worse]


def _main() -> int:
    arguments = _arguments()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),  # the table is on stdout
    )
    print(f"{results.machine()}, load before: {os.getloadavg()[0]:.2f}\n")
    if not nchan.INSTALLED:
        print("Nchan is not installed: `apt-get install libnginx-mod-nchan` installs it.\n")
    print(table.HEADER, flush=True)
    names = arguments.cases or [name for name, case in CASES.items() if not case.by_name]
    wrong = [text for name in names for text in _run(name, arguments)]
    print("".join(f"\n{text}" for text in wrong))
    return 1 if wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "cases", nargs="*", choices=[[], *CASES], default=[], help="default: all but the long ones"
    )
    parser.add_argument("--runs", type=int, default=5, help="runs of each case")
    parser.add_argument(
        "--save",
        action="store_true",
        help="write docs/benchmarks/<case>.json, unless the machine was busy",
    )
    parser.add_argument("--force", action="store_true", help="write it even then")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(_main())
