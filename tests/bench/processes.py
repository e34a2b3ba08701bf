"""Starts servers as processes, and measures their CPU and memory."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.journal.keys import Keys
from tests.bench.publish import CONTRACT
from tests.support.waiting import free_port

_SCHED_CLOCK = 2  # include/linux/posix-timers.h
_PAGE = os.sysconf("SC_PAGE_SIZE")
_LOG_BYTES = 2000
"""The end of a server's log that an error shows."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server process that is measured."""

    pid: int
    port: int

    def cpu(self) -> float:
        """CPU seconds of all threads so far, without children.

        The kernel's clock of the process counts nanoseconds; /proc counts hundredths of a second.
        The number of this clock is made as in clock_getcpuclockid(3), which Python does not have.
        """
        return time.clock_gettime(~self.pid << 3 | _SCHED_CLOCK)

    def rss(self) -> int:
        """Resident bytes."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE

    def pss(self) -> int:
        """Resident bytes, where a page that N processes share counts as 1/N of a page."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return int(rollup.partition("\nPss:")[2].split()[0]) * 1024


@contextmanager
def fanout(redis_url: str, keys: Keys, folder: Path, **settings: object) -> Iterator[Server]:
    """A fanout in a separate process, that listens."""
    process, port = start_fanout(redis_url, keys, folder, **settings)
    with _running(process, port) as server:
        yield server


def start_fanout(
    redis_url: str, keys: Keys, folder: Path, **settings: object
) -> tuple[subprocess.Popen[bytes], int]:
    """A fanout that may not listen yet, and its port."""
    port = free_port()
    own = {
        "REDIS_URL": redis_url,
        "NAMESPACE": keys.namespace,
        "CONTRACT_IDS": CONTRACT,
        "PORT": port,
        "DRAIN_SECONDS": 0,
        "MAX_CONNECTIONS": 19_000,
        "LOG_LEVEL": "error",
        **settings,
    }
    environment = {**os.environ, **{k: str(v) for k, v in own.items()}}
    command = [sys.executable, "-m", "services.fanout"]
    with (folder / "fanout.log").open("ab") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log), port


@contextmanager
def _running(process: subprocess.Popen[bytes], port: int) -> Iterator[Server]:
    try:
        _wait_for(port, process)
        yield Server(process.pid, port)
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server. With SIGTERM, because after SIGKILL the workers of nginx would run on."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


@contextmanager
def command(*words: str, port: int) -> Iterator[Server]:
    """Any other server, started by this command. An exception in the block shows its log."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=log, stderr=log)
        try:
            with _running(process, port) as server:
                yield server
        except Exception as exc:
            log.seek(0)
            exc.add_note(log.read()[-_LOG_BYTES:].decode(errors="replace"))
            raise
        finally:
            assert process.stdin
            process.stdin.close()


def child_of(server: Server) -> Server:
    """The only child process of a server, such as the worker of nginx."""
    path = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    return Server(int(path.read_text().split()[0]), server.port)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    listening = f":{port:04X} "
    while process.poll() is None and time.monotonic() < deadline:
        if any(
            listening in line and " 0A " in line
            for line in Path("/proc/net/tcp").read_text().splitlines()
        ):
            time.sleep(0.5)
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on {port}")


async def read_line(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """The next line of the process, which is JSON. Raises RuntimeError if the process ended."""
    assert process.stdout
    line = await asyncio.to_thread(process.stdout.readline)
    if not line:
        raise RuntimeError(f"{process.args!s:.100} ended with {process.wait()}")
    result: dict[str, Any] = json.loads(line)
    return result


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that is not below this part (0 to 1) of all values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def milliseconds(latencies: Sequence[float]) -> tuple[float, float]:
    """The median and the 99th percentile, in ms."""
    return percentile(latencies, 0.5) * 1000, percentile(latencies, 0.99) * 1000
