"""The pages outside of docs/operations, and a shell that runs the commands of their blocks.

In the shell, curl connects to an installation of the test where a page says `localhost:3001`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.fenced import ROOT, Block
from tests.support.waiting import until

ADDRESS = "localhost:3001"
"""The address of the gateway in all examples: that of `make run`."""

_FOLDERS = (".", "docs", "docs/clients", "docs/decisions", "docs/guides")
PAGES = sorted(
    path.relative_to(ROOT).as_posix() for name in _FOLDERS for path in (ROOT / name).glob("*.md")
)
"""All pages except those of docs/operations, whose blocks tests/operations runs."""


@dataclass(frozen=True)
class Output:
    """What commands have printed, and the exit code."""

    code: int
    text: str
    errors: str


def typed(block: Block, replaced: Mapping[str, str]) -> str:
    """The text of a block as the test types it. Each text that is replaced must be in it."""
    text = block.text
    for old, new in replaced.items():
        assert old in text, f"{block} has no {old}"
        text = text.replace(old, new)
    return text


class Shell:
    """Runs commands in `folder`. curl finds the gateway at `port`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        (folder / ".curlrc").write_text(f'connect-to = "{ADDRESS}:127.0.0.1:{port}"\n')

    async def run(self, text: str) -> Output:
        """Run commands in bash until the first one fails."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        process = await asyncio.create_subprocess_exec(
            "bash", "-euo", "pipefail", "-c", text,
            cwd=self.folder, env={"PATH": path, "HOME": str(self.folder)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await process.communicate()
        return Output(process.returncode or 0, output.decode(), errors.decode())

    async def done(self, text: str) -> str:
        """What commands print. Fails if one of them fails."""
        output = await self.run(text)
        assert output.code == 0, f"{text}\n{output.text}\n{output.errors}"
        return output.text

    async def watched(self, command: str, seconds: float = 4) -> str:
        """What a `curl -N` that never ends prints within this time."""
        assert command.startswith("curl -N"), command
        output = await self.run(command.replace("curl -N", f"curl -sSN --max-time {seconds}", 1))
        assert output.code == 28, f"{command}: {output.errors}"  # curl's code for a time-out
        return output.text

    async def shows(self, command: str, text: str) -> None:
        """Run a `curl -N` again and again until it prints this text."""

        async def printed() -> bool:
            return text in await self.watched(command, seconds=2)

        await until(printed, seconds=60, what=f"{text} from {command}")
