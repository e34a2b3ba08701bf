"""The client libraries. Each runs in a process that prints its events as lines of JSON."""

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
"""The event names to listen for: all that we send, and one (`undefined`) that must not occur."""

_NODE = {"eventsource", "launchdarkly", "undici", "eventsource_client"}
_PYTHON = {"httpx_sse", "sseclient", "aiohttp_sse"}
_CHROMIUM = {"chromium": "native", "fetch_event_source": "fetch"}
LIBRARIES = sorted([*_NODE, *_PYTHON, *_CHROMIUM])


def missing_requirement(library: str) -> str:
    """What this machine lacks to run the library; empty if nothing."""
    if library in _NODE and not shutil.which("node"):
        return "node is missing"
    if library in _CHROMIUM and not Path("/usr/bin/chromium").exists():
        return "chromium is missing"
    packages = library in _NODE or library == "fetch_event_source"
    if packages and not (FOLDER / "node_modules/undici").is_dir():
        return "tests/clients/node_modules is missing: `make test` installs it where npm is"
    return ""


def require_library(library: str) -> None:
    """Skip the test, or fail it in CI, if this library cannot run."""
    if reason := missing_requirement(library):
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


def _command(library: str, url: str) -> list[str]:
    arguments = [url, ",".join(NAMES)]
    if library in _NODE:
        return ["node", "--no-warnings", str(FOLDER / f"node/{library}.mjs"), *arguments]
    if library in _CHROMIUM:
        script = str(FOLDER / "python/chromium.py")
        return [sys.executable, script, *arguments, _CHROMIUM[library]]
    return [sys.executable, str(FOLDER / f"python/with_{library}.py"), *arguments]


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event as a library gave it to its application."""

    name: str
    id: str | None
    data: str

    @property
    def is_json_object(self) -> bool:
        """True if the data is one JSON object."""
        try:
            return isinstance(json.loads(self.data), dict)
        except ValueError:
            return False

    @property
    def is_journal_event(self) -> bool:
        """True if the name is that of a journal event."""
        return "." in self.name


class Driver:
    """A running library. `events` and `error_lines` (stderr) grow while it runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.events: list[ReceivedEvent] = []
        self.error_lines: list[str] = []
        self._process = process
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._read_errors())]

    @classmethod
    async def start(cls, library: str, url: str) -> Driver:
        """Start the driver of the library with this URL."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *_command(library, url), stdin=pipe, stdout=pipe, stderr=pipe, limit=1 << 20
        )
        return cls(process)

    async def _read(self) -> None:
        assert self._process.stdout
        async for line in self._process.stdout:
            self.events.append(ReceivedEvent(**json.loads(line)))

    async def _read_errors(self) -> None:
        assert self._process.stderr
        async for line in self._process.stderr:
            self.error_lines.append(line.decode(errors="replace"))

    @property
    def ended(self) -> bool:
        """True if the process has ended."""
        return self._process.returncode is not None

    async def stop(self) -> None:
        """End it by closing its stdin, or kill it after 20 s."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            async with asyncio.timeout(20):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
        await asyncio.gather(*self._tasks)
