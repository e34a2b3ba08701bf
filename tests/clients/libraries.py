"""The client libraries, and each as a process: its events come as lines of JSON."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.domain.events import EventType

FOLDER = Path(__file__).parent
NAMES = ["message", "sync", "gap", "reset", "overload", "goodbye", *EventType, "undefined"]
"""What is listened for: every name that we send, and two that only a phantom would bear."""

_NODE = {"eventsource", "launchdarkly", "undici", "eventsource_client"}
_PYTHON = {"httpx_sse", "sseclient", "aiohttp_sse"}
_CHROMIUM = {"chromium": "native", "fetch_event_source": "fetch"}
LIBRARIES = sorted([*_NODE, *_PYTHON, *_CHROMIUM])


def missing(library: str) -> str:
    """What this machine lacks for this library; empty when nothing."""
    if library in _NODE and not shutil.which("node"):
        return "node is missing"
    if library in _CHROMIUM and not Path("/usr/bin/chromium").exists():
        return "chromium is missing"
    packages = library in _NODE or library == "fetch_event_source"
    if packages and not (FOLDER / "node_modules/undici").is_dir():
        return "tests/clients/node_modules is missing: `make test` installs it where npm is"
    return ""


def need(library: str) -> None:
    """Skip the test, or fail it in CI, where this library cannot run."""
    if word := missing(library):
        pytest.fail(word) if os.environ.get("CI") == "true" else pytest.skip(word)


def _command(library: str, url: str) -> list[str]:
    arguments = [url, ",".join(NAMES)]
    if library in _NODE:
        return ["node", "--no-warnings", str(FOLDER / f"node/{library}.mjs"), *arguments]
    if library in _CHROMIUM:
        script = str(FOLDER / "python/chromium.py")
        return [sys.executable, script, *arguments, _CHROMIUM[library]]
    return [sys.executable, str(FOLDER / f"python/with_{library}.py"), *arguments]


@dataclass(frozen=True, slots=True)
class Received:
    """An event as a library gave it to its application."""

    name: str
    id: str | None
    data: str

    @property
    def whole(self) -> bool:
        """Whether its data is one JSON object."""
        try:
            return isinstance(json.loads(self.data), dict)
        except ValueError:
            return False

    @property
    def of_journal(self) -> bool:
        """Whether it bears the name of an event of the journal."""
        return "." in self.name


class Driver:
    """A library at work; `events` grows as it reports, `noise` with what it says on stderr."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.events: list[Received] = []
        self.noise: list[str] = []
        self._process = process
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._listen())]

    @classmethod
    async def start(cls, library: str, url: str) -> Driver:
        """Start the library's driver on this URL."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *_command(library, url), stdin=pipe, stdout=pipe, stderr=pipe, limit=1 << 20
        )
        return cls(process)

    async def _read(self) -> None:
        assert self._process.stdout
        async for line in self._process.stdout:
            self.events.append(Received(**json.loads(line)))

    async def _listen(self) -> None:
        assert self._process.stderr
        async for line in self._process.stderr:
            self.noise.append(line.decode(errors="replace"))

    @property
    def ended(self) -> bool:
        """Whether the process is over."""
        return self._process.returncode is not None

    async def stop(self) -> None:
        """Close its stdin, which ends it; kill it when that does not."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
        await asyncio.gather(*self._tasks)
