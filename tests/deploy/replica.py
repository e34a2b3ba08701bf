"""One replica of a service of compose.yaml as a process, and where its files are."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.deploy.dockerfile import Image


@dataclass
class Running:
    """One replica of a service."""

    address: str
    environment: dict[str, str]
    workdir: Path
    process: subprocess.Popen[bytes]
    image: Image | None
    place: Places

    @property
    def log(self) -> str:
        """The end of its output."""
        return (self.workdir / "log").read_text(errors="replace")[-3000:]


class Places:
    """Map paths of the container to paths on this machine."""

    def __init__(self, root: Path, service: dict[str, Any], image: Image | None) -> None:
        self._known: dict[str, str] = {}
        for _, target in image.copies if image else ():
            if target.startswith("/"):
                self._known[target.rstrip("/")] = str(root / "image" / target.strip("/"))
        for folder in service.get("tmpfs", ()):
            self._known[folder] = str(root / "tmpfs")
            (root / "tmpfs").mkdir()
        for volume in service.get("volumes", ()):
            source = volume["source"]
            if volume["type"] == "volume":  # all services of a file see the same volume
                source = str(root.parent / "volumes" / source)
                Path(source).mkdir(parents=True, exist_ok=True)
            self._known[volume["target"]] = source

    def of(self, text: str) -> str:
        """The text with each path of the container replaced, alone or followed by a slash.

        A path can also be that of a URL, as in `file:///archive`.
        """
        if text.startswith("file:///"):
            return f"file://{self.of(text.removeprefix('file://'))}"
        for inside in sorted(self._known, key=len, reverse=True):
            if text == inside or text.startswith(f"{inside}/"):
                return self._known[inside] + text.removeprefix(inside)
        return text


def with_our_python(command: list[str]) -> list[str]:
    """The command with the Python of the tests in place of the one of an image."""
    return [sys.executable if command[0] == "python" else command[0], *command[1:]]


async def listens(address: str, port: int) -> bool:
    """Whether a process accepts connections there."""
    try:
        _, writer = await asyncio.open_connection(address, port)
    except OSError:
        return False
    writer.close()
    return True
