"""A terminal in the project's folder: a real shell that runs the blocks of a page word by word.

In this shell `docker` and `kubectl` are shims (shim.py), which pass their words to a `Carrier`. All
other programs are the real ones. `curl` connects to our gateway where a page names the address of
the gateway.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.support.fenced import Block

SHIMS = ("docker", "kubectl")
_LIMIT = 64 << 20
"""Bytes of one request or answer of a shim: a backup is one of them."""


@dataclass(frozen=True)
class Call:
    """One command that a shim passes on: program and arguments, and where it was called."""

    words: list[str]
    folder: Path
    environment: Mapping[str, str]
    stdin: bytes = b""


@dataclass(frozen=True)
class Result:
    """What a command has printed, and its exit code."""

    code: int
    output: bytes = b""
    errors: str = ""

    @property
    def text(self) -> str:
        """The output as text."""
        return self.output.decode()


class Carrier(Protocol):
    """Carries out the commands of one program."""

    async def carry_out(self, call: Call) -> Result:
        """Carry out a command. Raises UnknownCommandError if it cannot."""


class UnknownCommandError(Exception):
    """No test carries this command out or checks it."""


class Terminal:
    """Runs blocks one after another. Variables that a block sets are there in the next one."""

    def __init__(self, folder: Path, home: Path, **exported: str) -> None:
        self.folder = folder
        self.home = home
        self.exported = exported
        self.unknown: list[str] = []
        self.port = 0

    async def run(self, block: Block, replaced: Mapping[str, str] | None = None) -> Result:
        """Run a block. `replaced` maps texts of the block to what is typed in their place."""
        text = block.text
        for old, new in (replaced or {}).items():
            assert old in text, f"{block} has no {old}"
            text = text.replace(old, new)
        self.unknown.clear()
        result = await self._bash(text)
        assert not self.unknown, f"{block}: {self.unknown}"
        return result

    async def _bash(self, text: str) -> Result:
        names = " ".join(sorted(set(re.findall(r"^ *(\w+)=", text, re.M))))
        state = self.home / "variables"
        keep = f'declare -p {names} >>"{state}" 2>/dev/null || true' if names else ""
        lines = ["set -euo pipefail", f'[ ! -e "{state}" ] || . "{state}"', f"trap '{keep}' EXIT"]
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", "\n".join([*lines, text]),
            cwd=self.folder, env=self._environment(), stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await process.communicate()
        return Result(process.returncode or 0, output, errors.decode())

    def _environment(self) -> dict[str, str]:
        path = f"{self.home / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {
            "PATH": path,
            "HOME": str(self.home),
            "HEADRACE_TEST_PORT": str(self.port),
            "GIT_CONFIG_GLOBAL": os.devnull,
            **self.exported,
        }

    async def show(self, variable: str) -> str:
        """The value of a variable that a block has set."""
        return (await self._bash(f'echo "${variable}"')).text

    def forget(self) -> None:
        """Forget all variables, like a new terminal."""
        (self.home / "variables").unlink(missing_ok=True)

    def lead(self, **addresses: str) -> None:
        """Let curl connect elsewhere: `localhost:3001` to `127.0.0.2:8080`, for example."""
        lines = [f'connect-to = "{known}:{ours}"' for known, ours in addresses.items()]
        (self.home / ".curlrc").write_text("\n".join([*lines, "insecure", ""]))


@asynccontextmanager
async def terminal(
    folder: Path, home: Path, carriers: Mapping[str, Carrier], **exported: str
) -> AsyncIterator[Terminal]:
    """A terminal in `folder`, with more variables in its environment.

    `carriers` maps each program of SHIMS to what carries it out.
    """
    (home / "bin").mkdir(parents=True)
    for name in SHIMS:
        shim = home / "bin" / name
        python = f"{sys.executable} -I -S {Path(__file__).with_name('shim.py')}"
        shim.write_text(f'#!/bin/sh\nexec {python} {name} "$@"\n')
        shim.chmod(0o755)
    opened = Terminal(folder, home, **exported)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = json.loads(await reader.readline())
        call = Call(
            request["words"],
            Path(request["folder"]),
            request["environment"],
            base64.b64decode(request["stdin"]),
        )
        try:
            result = await carriers[call.words[0]].carry_out(call)
        except Exception as error:  # whatever it is, it must not look like an answer
            opened.unknown.append(f"{' '.join(call.words)}: {error}")
            result = Result(97, errors=f"{error}\n")
        told = {"code": result.code, "errors": result.errors}
        told["output"] = base64.b64encode(result.output).decode()
        writer.write(json.dumps(told).encode() + b"\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=_LIMIT)
    opened.port = server.sockets[0].getsockname()[1]
    async with server:
        yield opened
