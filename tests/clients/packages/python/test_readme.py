"""The examples of the package's README, each as a program of its own against a real server."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from functools import partial
from pathlib import Path

import pytest
from headrace_client.cli.arguments import _EXIT_CODES
from redis.asyncio import Redis

from shared.journal.keys import Keys
from shared.journal.plan import Retention
from tests.clients.packages.python.conftest import StartServer
from tests.clients.packages.python.test_cursors import PACKAGE
from tests.fanout.replicas import CONTRACT, Chain
from tests.support.fenced import fenced
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(180)

README = (PACKAGE / "README.md").read_text(encoding="utf-8")
EXAMPLES = {block.name: block.text for block in fenced("clients/python/README.md", "python")}

EXPECTED = {
    "events": r"^1970-01-01 00:01:40\+00:00 stream\.created \d+ None$",
    "losses": r"^the events after 1-0 up to .*: load the state again\nload .*\n\d+-\d+ stream",
    "cursor": r"^\d+-0 stream\.created$",
    "exactly-once": r"^\d+-0 stream\.created$",
    "follow": r"^\d+ streams\n(stream\.depleted 0\n)*stream\.created 0$",
    "calls": r"“USDC”\n(.*\n)*.* stream\.topped_up\n.* stream\.created\n.* Read the stream again",
    "login": r"^open$",
}
"""What each example prints."""


class Example:
    """A running example. `text` is what it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.text = ""
        self._process = process
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, name: str, url: str, folder: Path) -> Example:
        script = EXAMPLES[name].replace("http://localhost:3001", url)
        assert url in script
        pipe = asyncio.subprocess.PIPE
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-u", "-c", script),
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(PACKAGE)},
                stdout=pipe,
                stderr=asyncio.subprocess.STDOUT,
            )
        )

    async def _read(self) -> None:
        assert self._process.stdout
        while chunk := await self._process.stdout.read(1 << 16):
            self.text += chunk.decode()

    async def close(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._task


async def printed(example: Example, expected: str, chain: Chain) -> bool:
    await chain.commit()  # something happens, also while an example starts
    return re.search(expected, example.text, re.M) is not None


def text_of(example: Example) -> str:
    return example.text


async def test_the_examples_run(
    start_server: StartServer, redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    chain = Chain(redis, keys, retention=Retention(max_length=10))
    await chain.commit_many(500)
    server = await start_server(ring_events=5, tokens=f"{CONTRACT}=USDC:7")
    assert set(EXAMPLES) == set(EXPECTED)
    for name, expected in EXPECTED.items():
        example = await Example.start(name, server.url, tmp_path)

        try:
            await until(partial(printed, example, expected, chain), what=partial(text_of, example))
        finally:
            await example.close()


def test_the_exit_codes_are_those_of_the_command() -> None:
    table = re.findall(r"^\| (\d) \| (.+) \|$", README, re.M)
    told = re.findall(r"^  (\d)  (.+)$", _EXIT_CODES, re.M)
    assert [(code, text.replace("`", "")) for code, text in table] == told
