"""Services as real processes: started with PORT=0, their port read from the JSON log.

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

from tests.support.waiting import until

_ROOT = Path(__file__).parents[2]
_MOST_CPU_SECONDS = 20.0


class NotListening(AssertionError):
    """It lives and does not listen; what it was doing is in the text."""


class ServiceProcess:
    """A running service; `log` grows with its JSON lines, `noise` with what was none."""

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
        """Where it listens."""
        return int(self.said("listening")[0]["port"])

    def said(self, event: str) -> list[dict[str, Any]]:
        """The log's lines of this event."""
        return [line for line in self.log if line.get("event") == event]

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send a signal to this process."""
        self._process.send_signal(number)

    async def ended(self, seconds: float = 45) -> int:
        """The exit code, once it has ended."""
        async with asyncio.timeout(seconds):
            code = await self._process.wait()
            await self._reading
            return code

    async def listening(self, seconds: float = 60) -> None:
        """Until the port is in the log. Raises NotListening; AssertionError if it ends.

        A start takes one or two seconds on a CPU. One that had many more does not get on; one that
        only waits for a CPU has the whole time.
        """

        def up() -> bool:
            if self._process.returncode is not None:
                raise AssertionError(f"it ended at once: {self.noise or self.log}")
            if self.said("listening"):
                return True
            assert self._cpu_seconds()[0] < _MOST_CPU_SECONDS, "it is busy with something else"
            return False

        try:
            await until(up, seconds=seconds, what="the log line 'listening'")
        except AssertionError as error:
            if self._process.returncode is not None:
                raise
            state = self._state()
            self.signal(signal.SIGABRT)  # it prints where it is
            await self.ended()
            raise NotListening(f"{error}: {state}, {self.log} {self.noise}") from None

    def _state(self) -> str:
        """Such as `S (sleeping)`, where in the kernel it waits, and its time on a CPU (Linux)."""
        folder = Path(f"/proc/{self.pid}")
        state = (folder / "status").read_text().splitlines()[2]
        used = "{:.1f} s on a CPU, {:.1f} s waiting for one".format(*self._cpu_seconds())
        return f"{state} in {(folder / 'wchan').read_text()}, {used}"

    def _cpu_seconds(self) -> tuple[float, float]:
        """How long its main thread ran, and how long it waited for a CPU; 0 if nobody tells."""
        try:
            ran, waited, _ = Path(f"/proc/{self.pid}/schedstat").read_text().split()
        except OSError:  # it has just ended, or this is not Linux
            return 0.0, 0.0
        return int(ran) / 1e9, int(waited) / 1e9

    @property
    def descriptors(self) -> int:
        """How many files it has open (Linux)."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))  # noqa: PTH208 - names only, it is /proc

    def connections(self, port: int) -> int:
        """How many connections to another process' port it has open (Linux, IPv4)."""
        lines = Path(f"/proc/{self.pid}/net/tcp").read_text().splitlines()[1:]
        rows = [line.split() for line in lines]  # …, its end, the other end, …, inode
        there = {f"socket:[{row[9]}]" for row in rows if row[2].endswith(f":{port:04X}")}
        return sum(link in there for link in self._links())

    def _links(self) -> Iterator[str]:
        """What each descriptor is, such as `socket:[4711]`."""
        for each in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                yield str(each.readlink())


async def start(module: str, **environment: object) -> ServiceProcess:
    """Start `python -m module` in the root of the project."""
    return await spawn([sys.executable, "-m", module], _ROOT, environment)


async def spawn(
    command: Sequence[str], folder: Path, environment: Mapping[str, object]
) -> ServiceProcess:
    """Start a service. Its environment is this process' own, PORT=0, and `environment`.

    On SIGABRT it prints the stack of each of its threads.
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
    """`python -m module`, once it listens; it is killed at the end unless it has ended."""
    async with listening(await start(module, **environment)) as service:
        yield service


@asynccontextmanager
async def listening(service: ServiceProcess) -> AsyncIterator[ServiceProcess]:
    """The service once it listens; it is killed at the end unless it has ended."""
    try:
        await service.listening()
        yield service
    finally:
        if service._process.returncode is None:
            service.signal(signal.SIGKILL)
        await service.ended()
