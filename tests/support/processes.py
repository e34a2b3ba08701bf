"""Runs services as processes with PORT=0, and reads the port from the JSON log.

`async with running("services.fanout", REDIS_URL=…) as process:` waits for the line `listening`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.waiting import until

_ROOT = Path(__file__).parents[2]
_MOST_CPU_SECONDS = 20.0


class NotListening(AssertionError):
    """The process runs but does not listen. The message shows what it was doing."""


class ServiceProcess:
    """A running service. `log` collects its JSON lines, `noise` its other lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.log: list[dict[str, Any]] = []
        self.noise: list[str] = []
        self._process = process
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stderr
        async for line in self._process.stderr:
            try:
                self.log.append(json.loads(line))
            except ValueError:
                self.noise.append(line.decode(errors="replace"))

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self.log_lines("listening")[0]["port"])

    def log_lines(self, event: str) -> list[dict[str, Any]]:
        """The log lines of this event."""
        return [line for line in self.log if line.get("event") == event]

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send a signal to this process."""
        self._process.send_signal(number)

    async def ended(self, seconds: float = 45) -> int:
        """Wait until the process has ended. Returns the exit code."""
        async with asyncio.timeout(seconds):
            code = await self._process.wait()
            await self._reading
            return code

    async def listening(self, seconds: float = 60) -> None:
        """Wait until the port is in the log. Raises NotListening, or AssertionError if it ends.

        A start needs one or two seconds of CPU time. A process that used much more is stuck, and
        the wait fails early. A process that only waits for a CPU gets the full `seconds`.
        """

        def up() -> bool:
            if self._process.returncode is not None:
                raise AssertionError(f"the process ended at once: {self.noise or self.log}")
            if self.log_lines("listening"):
                return True
            assert self._cpu_seconds()[0] < _MOST_CPU_SECONDS, (
                "the process used too much CPU time and still does not listen"
            )
            return False

        try:
            await until(up, seconds=seconds, what="the log line 'listening'")
        except AssertionError as error:
            if self._process.returncode is not None:
                raise
            state = self._state()
            self.signal(signal.SIGABRT)  # it prints the stack of each thread
            await self.ended()
            raise NotListening(f"{error}: {state}, {self.log} {self.noise}") from None

    async def ready(self) -> None:
        """Wait until /readyz answers 200. Before, an API may not know the time of Redis."""
        url = f"http://127.0.0.1:{self.port}/readyz"

        async def is_ready() -> bool:
            async with session.get(url) as response:
                return response.status == 200

        async with aiohttp.ClientSession() as session:
            await until(is_ready, what=f"200 of {url}")

    def _state(self) -> str:
        """The process state, its wait channel in the kernel, and its CPU time (Linux)."""
        folder = Path(f"/proc/{self.pid}")
        state = (folder / "status").read_text().splitlines()[2]
        used = "{:.1f} s on a CPU, {:.1f} s waiting for one".format(*self._cpu_seconds())
        return f"{state} in {(folder / 'wchan').read_text()}, {used}"

    def _cpu_seconds(self) -> tuple[float, float]:
        """The time that the main thread ran and waited for a CPU; 0 if unknown."""
        try:
            ran, waited, _ = Path(f"/proc/{self.pid}/schedstat").read_text().split()
        except OSError:  # the process has just ended, or this is not Linux
            return 0.0, 0.0
        return int(ran) / 1e9, int(waited) / 1e9

    @property
    def descriptors(self) -> int:
        """The number of its open files (Linux)."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))  # noqa: PTH208 - names only, it is /proc

    def connections(self, port: int) -> int:
        """The number of its open connections to this port."""
        return len(connections(self.pid, port))


def connections(pid: int, port: int) -> set[str]:
    """The sockets of a process that are connected to this port (Linux, IPv4)."""
    lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]  # …, local address, remote address, …, inode
    there = {f"socket:[{row[9]}]" for row in rows if row[2].endswith(f":{port:04X}")}
    return there & set(_links(pid))


def _links(pid: int) -> Iterator[str]:
    """The target of each file descriptor of a process, such as `socket:[4711]`."""
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed in the meantime
            yield str(each.readlink())


async def start(module: str, **environment: object) -> ServiceProcess:
    """Start `python -m module` in the root of the project."""
    return await spawn([sys.executable, "-m", module], _ROOT, environment)


async def spawn(
    command: Sequence[str], folder: Path, environment: Mapping[str, object]
) -> ServiceProcess:
    """Start a service with our environment, PORT=0, and `environment`.

    On SIGABRT it prints the stack of each thread.
    """
    ours = os.environ | {"PORT": "0", "PYTHONFAULTHANDLER": "1"}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=ours | {k: str(v) for k, v in environment.items()},
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    return ServiceProcess(process)


@asynccontextmanager
async def running(module: str, **environment: object) -> AsyncIterator[ServiceProcess]:
    """Run `python -m module` and wait until it listens. Kills it at the end if it still runs."""
    async with listening(await start(module, **environment)) as service:
        yield service


@asynccontextmanager
async def listening(service: ServiceProcess) -> AsyncIterator[ServiceProcess]:
    """Wait until the service listens. Kills it at the end if it still runs."""
    try:
        await service.listening()
        yield service
    finally:
        if service._process.returncode is None:
            service.signal(signal.SIGKILL)
        await service.ended()
