"""Starts servers and swarms of clients as processes, and measures their CPU and memory."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.journal.keys import Keys
from tests.bench.publish import CONTRACT
from tests.support.waiting import free_port

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MAX_CONNECTIONS = 9_500
"""Connections of one swarm process, well below its limit of descriptors."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server process that is measured."""

    pid: int
    port: int

    def cpu(self) -> float:
        """CPU seconds so far, with all threads and with children that have ended."""
        text = Path(f"/proc/{self.pid}/stat").read_text()
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def rss(self) -> int:
        """Resident bytes."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE


@contextmanager
def fanout(redis_url: str, keys: Keys, folder: Path, **settings: object) -> Iterator[Server]:
    """A fanout in a separate process."""
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
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    with _running(process, port) as server:
        yield server


@contextmanager
def _running(process: subprocess.Popen[bytes], port: int) -> Iterator[Server]:
    try:
        _wait_for(port, process)
        yield Server(process.pid, port)
    finally:
        # SIGTERM, because after SIGKILL the workers of nginx would continue to run
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


@contextmanager
def command(*words: str, port: int) -> Iterator[Server]:
    """Any other server, started by this command."""
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with _running(process, port) as server:
        yield server


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


class Swarm:
    """Processes that together hold one connection for each path."""

    def __init__(
        self,
        port: int,
        paths: Sequence[str],
        *,
        headers: str = "",
        expected: int = 0,
        at_once: int = 200,
        greeting: str = '"type":"connected"',
    ) -> None:
        self._processes = []
        for source, first in enumerate(range(0, len(paths), _MAX_CONNECTIONS)):
            words = [sys.executable, "-m", "tests.bench.swarm", "--port", str(port)]
            words += ["--headers", headers, "--source", str(source * 4)]
            words += ["--expected", str(expected), "--at-once", str(at_once)]
            words += ["--greeting", greeting]
            process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert process.stdin
            process.stdin.write(
                json.dumps(paths[first : first + _MAX_CONNECTIONS]).encode() + b"\n"
            )
            process.stdin.flush()
            self._processes.append(process)

    async def connected(self) -> tuple[int, float]:
        """The number of connections, and the seconds that the slowest process needed."""
        lines = [await _line(process) for process in self._processes]
        return sum(x["connected"] for x in lines), max(x["seconds"] for x in lines)

    async def stop(self) -> dict[str, list[float]]:
        """Stop the processes (with `expected` they stop by themselves). Return the results."""
        for process in self._processes:
            if process.stdin:
                process.stdin.write(b"stop\n")
                process.stdin.flush()
        return await self.result()

    async def result(self) -> dict[str, list[float]]:
        """The results of all processes, joined."""
        joined: dict[str, list[float]] = {}
        for process in self._processes:
            for name, value in (await _line(process)).items():
                joined.setdefault(name, []).extend(value if isinstance(value, list) else [value])
            process.wait(10)
        return joined

    def close(self) -> None:
        """Kill the processes that still run."""
        for process in self._processes:
            process.kill()
            process.wait(10)


async def _line(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert process.stdout
    line = await asyncio.to_thread(process.stdout.readline)
    if not line:
        raise RuntimeError(f"the swarm ended with {process.wait()}")
    result: dict[str, Any] = json.loads(line)
    return result


def check(result: dict[str, list[float]], expected: int) -> None:
    """Raise RuntimeError unless every connection got all events in order and is still open."""
    wrong = sum(count != expected for count in result["events"])
    if wrong or any(result["disorder"]) or any(result["ended"]):
        raise RuntimeError(
            f"{wrong} of {len(result['events'])} connections did not get {expected} events "
            f"(from {min(result['events'])} to {max(result['events'])}), "
            f"{sum(result['disorder'])} out of order, {sum(result['ended'])} ended"
        )


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that is not below this part (0 to 1) of all values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
