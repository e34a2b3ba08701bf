"""The guides: export-the-history.md and follow-from-a-program.md run as they are written."""

from __future__ import annotations

import asyncio
import csv
import re
import signal
import sys
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from tests.docs.blocks import ADDRESS, Shell, typed
from tests.support.fenced import fenced
from tests.support.installation import Installation
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]

(EXPORT,) = fenced("docs/guides/export-the-history.md", "sh")
(PROGRAM,) = fenced("docs/guides/follow-from-a-program.md", "python")


async def history(whole: Installation, query: str) -> list[dict[str, Any]]:
    """The first 500 events of the history."""
    path = f"/v1/events?{query}&order=asc&limit=500"
    return (await whole.get(whole.ports.gateway, path))[1]["items"]


async def test_the_export_has_every_event_of_the_account_once(
    shell: Shell, whole: Installation
) -> None:
    account = re.search(r"ACCOUNT=(\w+)", EXPORT.text)
    assert account
    query = f"users={account[1]}"

    async def enough() -> bool:
        return len(await history(whole, query)) > 12

    await until(enough, seconds=60, what="events of the account")
    await shell.done(typed(EXPORT, {}))
    with (shell.folder / "events.csv").open(newline="", encoding="utf-8") as file:
        exported = [row["id"] for row in csv.DictReader(file)]
    lines = (shell.folder / "events.ndjson").read_bytes().splitlines()
    rows = pq.read_table(shell.folder / "events.parquet").column("position").to_pylist()
    everything = [event["id"] for event in await history(whole, query)]
    for ids in (exported, [orjson.loads(line)["id"] for line in lines], rows):
        assert len(ids) > 12
        assert ids[: len(everything)] == everything[: len(ids)]


class Program:
    """The program of the page, which writes its output into a file of `folder`."""

    def __init__(self, folder: Path, address: str) -> None:
        self._folder = folder
        (folder / "follow.py").write_text(typed(PROGRAM, {ADDRESS: address}), encoding="utf-8")

    async def start(self, file: str = "follow.py") -> asyncio.subprocess.Process:
        with (self._folder / "seen.txt").open("ab") as output:
            return await asyncio.create_subprocess_exec(
                sys.executable, file, cwd=self._folder, stdout=output
            )

    async def run_until(self, count: int) -> None:
        """Run it until it has printed so many events, and kill it."""
        process = await self.start()
        try:
            await until(lambda: len(self.seen) >= count, seconds=60)
        finally:
            process.kill()
            await process.wait()

    @property
    def seen(self) -> list[str]:
        """The ids of the events that it has printed, in all its runs."""
        return re.findall(r"^(\d+-\d+) ", (self._folder / "seen.txt").read_text(), re.M)


KILLED_WHILE_IT_STORES = """
import os, runpy, signal
from pathlib import Path

calls = []

def write_text(path, text):
    calls.append(text)
    with path.open("w") as file:
        if len(calls) == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        file.write(text)

Path.write_text = write_text
runpy.run_path("follow.py")
"""


async def printed_in_order(program: Program, whole: Installation) -> list[str]:
    """What the program has printed, without repeats. Fails if an event is missing in between."""
    once = list(dict.fromkeys(program.seen))
    first = await history(whole, f"all=true&after={once[0]}")
    assert once[1:] == [event["id"] for event in first][: len(once) - 1]
    return once


async def test_the_program_continues_after_it_was_killed(
    whole: Installation, tmp_path: Path, address: str
) -> None:
    program = Program(tmp_path, address)
    for count in (3, 8):
        await program.run_until(count)
    once = await printed_in_order(program, whole)
    assert len(program.seen) - len(once) <= 1, "killed between an event and its position: once more"


async def test_the_program_continues_after_it_was_killed_while_it_stored_a_position(
    whole: Installation, tmp_path: Path, address: str
) -> None:
    program = Program(tmp_path, address)
    (tmp_path / "killed.py").write_text(KILLED_WHILE_IT_STORES, encoding="utf-8")
    killed = await program.start("killed.py")
    assert await killed.wait() == -signal.SIGKILL
    await program.run_until(8)
    await printed_in_order(program, whole)


async def test_the_program_ends_when_it_is_refused(tmp_path: Path, address: str) -> None:
    refused = f"{address}/v1/events/subscribe?all=maybe"
    text = typed(PROGRAM, {f"{ADDRESS}/v1/events/subscribe?all=true": refused})
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", text, cwd=tmp_path, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert b"400 Bad Request" in errors
