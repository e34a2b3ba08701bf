"""Processes of a local run: started in order, watched, ended in reverse; their logs in files."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Part:
    """One process: what it is called, what it runs, and the environment it gets on top of ours."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None


class Ended(Exception):
    """A part ended by itself; the message names it and shows the end of its log."""


class Processes:
    """The running parts. Each has a session of its own, so Ctrl-C reaches only the runner."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def log_of(self, name: str) -> Path:
        """Where the part's output goes."""
        return self._logs / f"{name}.log"

    def start(self, part: Part) -> None:
        """Start one part."""
        with self.log_of(part.name).open("wb") as log:
            self.running[part.name] = subprocess.Popen(
                list(part.command),
                env={**os.environ, **part.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def watch(self) -> None:
        """Return never; raises Ended when a part ends."""
        while True:
            self.check()
            await asyncio.sleep(0.2)

    def check(self) -> None:
        """Raises Ended when a part has ended."""
        for name, process in self.running.items():
            if process.poll() is not None:
                raise Ended(f"{name} ended with {process.returncode}\n{self.tail(name)}")

    def tail(self, name: str) -> str:
        """The end of what a part has said."""
        lines = self.log_of(name).read_text(errors="replace").splitlines()[-12:]
        return "\n".join(f"  {line}" for line in lines)

    def stop(self, seconds: float = 10.0) -> None:
        """End all in reverse order; those that do not end in time are killed."""
        for process in reversed(self.running.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(seconds)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.running.clear()
