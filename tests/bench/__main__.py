"""`make bench`: run all benchmarks and print a table. Arguments select benchmarks by name."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from shared.journal.keys import Keys
from tests.bench.cases import CASES
from tests.bench.environment import BenchEnvironment, Row
from tests.support.redis_server import redis_server

_TIMEOUT_SECONDS = 420
"""A benchmark that takes longer is stopped with an error."""


async def _run(names: list[str]) -> None:
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| what | goal | measured |\n|---|---|---|", flush=True)
    for name in names:
        with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as url:
            env = BenchEnvironment(url, Keys(f"bench-{name}-{int(time.time())}"), Path(folder))
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                rows = await CASES[name](env)
            for row in rows:
                print(_line(row), flush=True)


def _line(row: Row) -> str:
    return f"| {row[0]} | {row[1]} | {row[2]} |"


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1:] or list(CASES)))
