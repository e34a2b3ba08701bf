"""docs/guides/webhooks.md: its commands, and its receivers in Python and Node."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.docs.blocks import Shell, typed
from tests.support.fenced import fenced
from tests.support.installation import Installation, create_stream, installation
from tests.support.programs import NODE_MODULES, needed, needed_package
from tests.support.waiting import free_port, until

pytestmark = [pytest.mark.io, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

PAGE = "docs/guides/webhooks.md"
MAKE, ENABLE, SHOW, TEST, AGAIN, ROTATE, DELETE = fenced(PAGE, "sh")
(PYTHON,) = fenced(PAGE, "python")
(NODE,) = fenced(PAGE, "js")
KILLED = 1
"""How often a test kills its receiver while events come."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """What `make run` starts, with a dispatcher. Its receiver is that of the page."""
    folder = tmp_path_factory.mktemp("webhooks")
    async with installation(folder, webhooks=True, CLOSE_SECONDS="0.5") as whole:
        yield whole


@dataclass(frozen=True)
class Reader:
    """Somebody who reads the page. The receiver has another port than on the page."""

    shell: Shell
    whole: Installation
    port: int

    async def type(self, block: Any) -> str:
        """Run a block in a shell in which the first block has set its variables."""
        variables = [line for line in MAKE.text.splitlines() if line.startswith("export ")]
        return await self.shell.done("\n".join([*variables, block.text]))

    async def make(self) -> dict[str, Any]:
        """Run the first block. Returns the webhook with its secret."""
        await self.shell.done(typed(MAKE, {"127.0.0.1:8000": f"127.0.0.1:{self.port}"}))
        made: dict[str, Any] = json.loads((self.shell.folder / "webhook.json").read_bytes())
        return made

    @asynccontextmanager
    async def receiver(self, *command: str, secret: str) -> AsyncIterator[None]:
        """Run a program until the end of the block. What it prints is in seen.txt."""
        with (self.shell.folder / "seen.txt").open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=self.shell.folder, stdout=output, stderr=output,
                env={"PATH": os.environ["PATH"], "WEBHOOK_SECRET": secret},
            )  # fmt: skip
        try:
            yield
        finally:
            process.send_signal(signal.SIGKILL)
            await process.wait()

    @property
    def seen(self) -> list[str]:
        """The ids of the events that the receivers have handled."""
        return re.findall(r"^stream\.\w+ (\d+-\d+)$", self.output, re.M)

    @property
    def output(self) -> str:
        return (self.shell.folder / "seen.txt").read_text()

    async def until_seen(self, count: int) -> None:
        await until(lambda: len(self.seen) >= count, seconds=60, what=lambda: self.output)

    async def history(self, first: str) -> list[str]:
        """The ids of the events from one on, in the order of the journal."""
        path = f"/v1/events?all=true&after={first}&order=asc&limit=500"
        items = (await self.whole.get(self.whole.ports.gateway, path))[1]["items"]
        return [first, *(event["id"] for event in items if event["type"].startswith("stream."))]


@pytest.fixture
def reader(whole: Installation, shell: Shell) -> Reader:
    return Reader(shell, whole, free_port())


def python(reader: Reader) -> tuple[str, ...]:
    """The command of the receiver in Python."""
    file = reader.shell.folder / "receiver.py"
    file.write_text(typed(PYTHON, {"port=8000": f"port={reader.port}"}), encoding="utf-8")
    return sys.executable, file.name


def node(reader: Reader) -> tuple[str, ...]:
    """The command of the receiver in Node. Its package is that of tests/clients."""
    needed_package("standardwebhooks")
    file = reader.shell.folder / "receiver.mjs"
    file.write_text(typed(NODE, {"listen(8000": f"listen({reader.port}"}), encoding="utf-8")
    (reader.shell.folder / "node_modules").symlink_to(NODE_MODULES)
    return needed("node"), file.name


async def check(reader: Reader, redelivered: str = "") -> None:
    """What the receivers have handled is the history, each event once and in order.

    A receiver that is killed between the line of an event and its commit prints the line again.
    `redelivered` is an event from before the webhook was made.
    """
    seen = [each for each in reader.seen if each != redelivered]
    once = list(dict.fromkeys(seen))
    assert once == (await reader.history(once[0]))[: len(once)]
    assert len(seen) - len(once) <= KILLED


@pytest.mark.parametrize("program", [python, node])
async def test_a_receiver_has_each_event_once_also_if_it_was_killed(
    reader: Reader, program: Any
) -> None:
    made = await reader.make()
    command = program(reader)
    async with reader.receiver(*command, secret=made["secret"]):
        await reader.until_seen(3)
    await create_stream(reader.whole.session, reader.whole.url(reader.whole.ports.gateway))
    async with reader.receiver(*command, secret=made["secret"]):
        await reader.until_seen(len(reader.seen) + 5)
    await reader.type(DELETE)
    await check(reader)


async def test_the_commands_of_the_page(reader: Reader) -> None:
    made = await reader.make()
    command = python(reader)
    async with reader.receiver(*command, secret=made["secret"]):
        await reader.until_seen(2)
        await reader.type(TEST)
        await until(lambda: "webhook.test " in reader.output, what=lambda: reader.output)
        await until(lambda: taken(reader, made["id"], "test"), what="the test in the deliveries")
        shown, attempts = map(json.loads, re.findall(r"\{.*?\}(?=\{\"|$)", await reader.type(SHOW)))
        assert (shown["id"], shown["state"]) == (made["id"], "active")
        assert {each["kind"] for each in attempts["items"]} == {"event", "test"}

        before = len(reader.seen)
        await reader.type(AGAIN)
        await until(
            lambda: taken(reader, made["id"], "redelivery"), seconds=60, what="a redelivery"
        )
        await reader.until_seen(before + 1)
        await check(reader, made["position"])

        await reader.type(ROTATE)
        rotated = json.loads((reader.shell.folder / "rotated.json").read_bytes())
        assert rotated["secret"] != made["secret"]
        await reader.until_seen(len(reader.seen) + 2)  # with the old secret
    async with reader.receiver(*command, secret=rotated["secret"]):
        await reader.type(ENABLE)
        await reader.until_seen(len(reader.seen) + 2)
    await check(reader, made["position"])
    await reader.type(DELETE)


async def taken(reader: Reader, webhook: str, kind: str) -> bool:
    """Whether a delivery of this kind is among the latest ones, and the receiver took it."""
    path = f"/v1/webhooks/{webhook}/deliveries"
    _, answer = await reader.whole.get(reader.whole.ports.gateway, path)
    return any(each["kind"] == kind and each["taken"] for each in answer["items"])


async def test_the_receivers_refuse_what_is_not_signed(reader: Reader) -> None:
    for program in (python, node):
        async with reader.receiver(*program(reader), secret="whsec_c2VjcmV0"):

            async def refused() -> bool:
                try:
                    async with reader.whole.session.post(
                        f"http://127.0.0.1:{reader.port}/headrace", data=b"{}"
                    ) as response:
                        return response.status == 401
                except aiohttp.ClientConnectionError:
                    return False

            await until(refused, what="the receiver's answer")
            shutil.rmtree(reader.shell.folder / "__pycache__", ignore_errors=True)
