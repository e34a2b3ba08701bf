"""The processes of a local run. They start in order and end in reverse order; logs are in files."""

from __future__ import annotations

import asyncio
import ctypes
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Part:
    """One process: its name, its command, and the variables to add to our environment for it.

    If `restart` is True and the process ends by itself, it is started again.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    restart: bool = True


def settings_script(part: Part) -> str:
    """A shell script that sets the variables of a process, for the commands of its service."""
    given = {name: value for name, value in part.environment.items() if name != "PORT"}
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in given.items())


_RESTARTS, _RESTART_SECONDS = 5, 30.0
"""A process that ends more than this often within this many seconds is not started again."""


class ProcessEndedError(Exception):
    """A process ended by itself. The message names it and shows the end of its log."""


class Processes:
    """The running processes. Each has its own session, so Ctrl-C reaches only the runner."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._parts: dict[str, Part] = {}
        self._ends: dict[str, list[float]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def log_of(self, name: str) -> Path:
        """The file with the output of a process."""
        return self._logs / f"{name}.log"

    def start(self, part: Part, *, log_mode: Literal["wb", "ab"] = "wb") -> None:
        """Start one process. With "wb" its log is overwritten, with "ab" the output is appended."""
        self._parts[part.name] = part
        with self.log_of(part.name).open(log_mode) as log:
            self.running[part.name] = subprocess.Popen(
                list(part.command),
                env={**os.environ, **part.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # PLW1509 warns of threads. They do no harm: the function makes one system call.
                preexec_fn=_end_with_runner if sys.platform == "linux" else None,  # noqa: PLW1509
            )

    async def watch(self) -> None:
        """Run until a process ends, then raise ProcessEndedError."""
        while True:
            self.check()
            await asyncio.sleep(0.2)

    def check(self) -> None:
        """Raise ProcessEndedError if a process has ended."""
        for name, process in self.running.items():
            if process.poll() is not None:
                raise ProcessEndedError(
                    f"{name} ended with {process.returncode}\n{self.tail(name)}"
                )

    async def keep_running(self, say: Callable[[str], None]) -> None:
        """Restart each process that ends, and say so. ProcessEndedError if it ends too often."""
        while True:
            for name, process in list(self.running.items()):
                if process.poll() is not None:
                    self._start_again(self._parts[name], process.returncode, say)
            await asyncio.sleep(0.2)

    def _start_again(self, part: Part, code: int, say: Callable[[str], None]) -> None:
        name, now = part.name, time.monotonic()
        _kill_group(self.running[name])
        if not part.restart:
            raise ProcessEndedError(f"{name} {_how_it_ended(code)}\n{self.tail(name)}")
        recent = [at for at in self._ends.get(name, []) if now - at < _RESTART_SECONDS]
        self._ends[name] = [*recent, now]
        if len(recent) >= _RESTARTS:
            times = f"{len(recent) + 1} times in {_RESTART_SECONDS:.0f} s"
            raise ProcessEndedError(f"{name} ended {times}\n{self.tail(name)}")
        say(f"{name} {_how_it_ended(code)}; it is started again (log: {self.log_of(name)})")
        self.start(part, log_mode="ab")

    def tail(self, name: str) -> str:
        """The end of a process's log."""
        lines = self.log_of(name).read_text(errors="replace").splitlines()[-12:]
        return "\n".join(f"  {line}" for line in lines)

    def stop(self, seconds: float = 10.0) -> None:
        """End all processes in reverse order. Kill those that do not end within `seconds`."""
        for process in reversed(self.running.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(seconds)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            _kill_group(process)
        self.running.clear()


_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
"""A constant of linux/prctl.h."""


def _end_with_runner() -> None:
    """In a new process, ask the kernel to end it if the runner dies, even by SIGKILL."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the children of an ended process: nginx's workers outlive nginx and hold its port."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was killed by {signal.Signals(-code).name}"
